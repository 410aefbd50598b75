import { expect, it } from 'vitest';
import { float16Mark, hoistFloat16 } from './float16';

it('puts `enable f16;` in front of modules that use float16, and leaves the others as they are', () => {
  const made: GPUShaderModuleDescriptor[] = [];
  const device = {
    createShaderModule(descriptor: GPUShaderModuleDescriptor) {
      made.push(descriptor);
      return {} as GPUShaderModule;
    },
  } as GPUDevice;
  hoistFloat16(device);
  const preamble = 'struct Uniforms { NAN : f32 };';
  device.createShaderModule({ code: `${preamble}\n${float16Mark('f16')}\nfn main() {}`, label: 'half' });
  device.createShaderModule({ code: `${preamble}\n${float16Mark('f32')}\nfn main() {}`, label: 'whole' });
  expect(made.map(({ label }) => label)).toEqual(['half', 'whole']);
  expect(made[0]?.code).toMatch(/^enable f16;\nstruct/);
  expect(made[1]?.code).toMatch(/^struct/);
});
