/**
 * The state_dict of an official model of any size, by names and shapes: a Net2NetTransformer with the VQGAN that it
 * was trained on in it, or the VQGAN alone. For tests and scripts; the values come from elsewhere.
 */
import type { BlockMode, Extent3 } from '../../config/model';
import { dict, type PickledValue } from './pickleWriter';
import { dictConfig, namespace } from './torchWriter';

export interface OfficialSizes {
  readonly modes: readonly BlockMode[];
  readonly width: number;
  readonly heads: number;
  readonly latentTokens: number;
  readonly codes: number;
  readonly grid: Extent3;
  readonly downsample: Extent3;
  readonly codeWidth: number;
  /** Channels of the VQGAN's last stage, halved. */
  readonly hiddens: number;
}

const repeat = (pair: readonly BlockMode[], times: number): BlockMode[] =>
  Array.from({ length: times }, () => pair).flat();

/** FACTS of the paper's 128-frame models: 344.5 million parameters, and the VQGAN's 28 million. */
export const OFFICIAL: OfficialSizes = {
  modes: [
    ...repeat(['latent_enc', 'latent_self'], 6),
    'latent_enc',
    ...repeat(['latent_dec', 'lt2l'], 5),
    'latent_dec',
  ],
  width: 1024,
  heads: 16,
  latentTokens: 256,
  codes: 16_384,
  grid: [32, 16, 16],
  downsample: [4, 8, 8],
  codeWidth: 256,
  hiddens: 32,
};

/** Small enough for unit tests, and with every part of the real thing. */
export const TINY_OFFICIAL: OfficialSizes = {
  modes: ['latent_enc', 'latent_self', 'latent_enc', 'latent_dec', 'lt2l', 'latent_dec'],
  width: 16,
  heads: 2,
  latentTokens: 4,
  codes: 32,
  grid: [4, 2, 2],
  downsample: [2, 4, 4],
  codeWidth: 8,
  hiddens: 2,
};

export type Shapes = Map<string, readonly number[]>;

export function transformerShapes(sizes: OfficialSizes): Shapes {
  const { modes, width, latentTokens, codes, grid } = sizes;
  const shapes: Shapes = new Map([
    ['mask_emb', [1, 1, width]],
    ['sos_emb', [1, latentTokens, width]],
    ['pos_emb', [1, grid[0] * grid[1] * grid[2], width]],
  ]);
  const linear = (name: string, inputs: number, outputs: number) => {
    shapes.set(`${name}.weight`, [outputs, inputs]).set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string) => shapes.set(`${name}.weight`, [width]).set(`${name}.bias`, [width]);
  for (const i of modes.keys()) {
    const block = `transformer.blocks.${i}`;
    norm(`${block}.ln1`);
    norm(`${block}.ln2`);
    for (const name of ['key', 'query', 'value', 'proj']) linear(`${block}.attn.${name}`, width, width);
    linear(`${block}.mlp.0`, width, 4 * width);
    linear(`${block}.mlp.2`, 4 * width, width);
  }
  norm('transformer.ln_f');
  shapes.set('transformer.head.weight', [codes, width]).set('tok_emb.weight', [codes, width]);
  return shapes;
}

/** With batch norms, as the official one; the discriminators and LPIPS are left out. */
export function vqganShapes({ downsample, hiddens, codes, codeWidth }: OfficialSizes): Shapes {
  const shapes: Shapes = new Map();
  const conv = (name: string, inputs: number, outputs: number, kernel: number) => {
    shapes.set(`${name}.weight`, [outputs, inputs, kernel, kernel, kernel]).set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string, channels: number) => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
      shapes.set(`${name}.${part}`, [channels]);
    }
  };
  const residual = (name: string, channels: number) => {
    for (const part of [1, 2]) {
      norm(`${name}.norm${part}`, channels);
      conv(`${name}.conv${part}.conv`, channels, channels, 3);
    }
  };
  const stages = Math.log2(Math.max(...downsample));
  const widest = hiddens * 2 ** stages;
  conv('encoder.conv_first.conv', 3, hiddens, 3);
  for (let i = 0; i < stages; i++) {
    const channels = hiddens * 2 ** (i + 1);
    conv(`encoder.conv_blocks.${i}.down.conv`, channels / 2, channels, 4);
    residual(`encoder.conv_blocks.${i}.res`, channels);
  }
  norm('encoder.final_block.0', widest);
  norm('decoder.final_block.0', widest);
  let before = widest;
  for (let i = 0; i < stages; i++) {
    const channels = hiddens * 2 ** (stages - i);
    const name = `decoder.conv_blocks.${i}`;
    shapes
      .set(`${name}.up.convt.weight`, [before, channels, 4, 4, 4])
      .set(`${name}.up.convt.bias`, [channels]);
    residual(`${name}.res1`, channels);
    residual(`${name}.res2`, channels);
    before = channels;
  }
  conv('decoder.conv_last.conv', before, 3, 3);
  conv('pre_vq_conv.conv', widest, codeWidth, 1);
  conv('post_vq_conv.conv', codeWidth, widest, 1);
  return shapes.set('codebook.embeddings', [codes, codeWidth]).set('codebook.N', [codes]);
}

/** hyper_parameters of a Net2NetTransformer: OmegaConf nodes whose parent is the whole configuration. */
export function transformerSettings({
  modes,
  width,
  heads,
  latentTokens,
  codes,
  grid,
  downsample,
}: OfficialSizes): PickledValue {
  const whole = dictConfig(
    dict({
      data: dictConfig(
        dict({
          data_path: 'datasets/synthetic',
          sequence_length: grid[0] * downsample[0],
          resolution: grid[1] * downsample[1],
        }),
      ),
    }),
  );
  const transformer = dict({
    vocab_size: codes,
    n_layer: modes.length,
    n_head: heads,
    n_embd: width,
    sos_emb: latentTokens,
    mode: modes,
  });
  return dict({
    transformer_config: dictConfig(transformer, whole),
    mask_config: dictConfig(dict({ params: dict({ shape: grid }) }), whole),
  });
}

/** hyper_parameters of a VQGAN. */
export const vqganSettings = ({ downsample }: OfficialSizes): PickledValue =>
  dict({ args: namespace({ downsample, padding_type: 'replicate' }) });
