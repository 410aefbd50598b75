// Files of torch.save with pickles of every protocol that it writes, and with a tensor of a type that cannot be read.
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { at, toPlain } from './hyperparameters';
import { blobSource } from './source';
import type { StoredTensor } from './tensor';
import { openTorchFile } from './torchFile';

/**
 * base = arange(24.).reshape(4, 6); torch.save({view: base[1:3].t()[::2], odd: ones(2, complex64),
 * args: Namespace(downsample=(2, 4, 4)), big: -2**70}, pickle_protocol=…), gzip, base64.
 */
const FILES = {
  'legacy, protocol 0': [
    'H4sIAAAAAAACA32SPY/UMBCGV5RTUVJut0FaVnbifEkI7gRCirRaToeUNmQdKxeUi63Yu8dRbUlJSXklJSUlP4WfwuvsgfYkhOVH',
    'djwTzzszXnOexyJlUcpFwqIsYzzCiJM1rQrOGKdV0BhGpRm101L31V6NttMDGU5HB1v2nXO9qtTQdDUMIRXTsbs1qrLdJ2XJRIRr',
    'BJX2So+OTExFCI9uwD6hQvhL9NCSSacPex9036kbH0g6PcqrVbVzXW+pGtV21/VN5dRg9VjtQx8zuAgWFn51qxbL+XPZ19bOF8cf',
    '3/S6du/ujS+W80UusiTPkpgnocgY/BfS7LCEYjnf6EE9pSKhoIi8TOfFY8WJQwoFYyRRiF5JhzpYejs2alTN605OiQXu0njPlC5N',
    'hrx005DJqf2/wlf62vTq47+FpiJLY86y7EToX51sEucM9xvuN3zS2B6l8MkWQQz3Va7HFt3gsU/B3KKSrS+nRB5u3Pkyw4jMJfxM',
    'PVpFm/paWVNLBUNKsqp86V03VBXp7Qflc+YZbRAjR4yQ+T6HnMpG3wy29kmhOeGxgMJPZ8KI7NaW2w79DgWtn3GesThHL1jKU8F5',
    'xCIRijXhGfT+GTwsgn8Qdfmwg/4B1KtHsz/j8PJ0fTI7HdPZGSY4gDvwE/wCs/PZ7DGYAwbOwAV4Dww4gM/gC/gK7sA38B38OP8N',
    'hDsjYU0DAAA=',
  ],
  'legacy, protocol 1': [
    'H4sIAAAAAAACA22RS2/TQBCAHcdJYKElvMO7R3MgsuNnTrQCIVUOhYaLL8g49io2cr0e7zqlSJFy5MiRY48cOXLkp3DlXzCbqFIr',
    'deVPlmfHO9/MTkxz7NieYXmm7RqW7xumhctxJ2T49l97uARFD/uKolQ1EyxhRbSgNc9ZCS3cDrdwp8iFKGhEyzSPS1D3DZOEBOPi',
    'pKIRz79SDu0laHrYwSDPWC2gE6hhG7/yUkA30EJNHsPKOfQCrWk2RWVskdNjaCWC1Uk2jBqRF5xENZ01eZFGgpac1dFiREDV9bAn',
    'T8fMeE6hvfmFvClYLD5sggS0cBtzxrbvjj3b9x3HdlzorEWSqkGRwYGA3mHQ1YN2oAq4ogdq0BVwdd8wSIK9FzQR2Don7+qU1jR9',
    'nSeCAHk+hWsCrk9ha30WS1PYzlApO9N4xY6qgn65aHPjgo3nGp7lQj/rBipa3DwMFF063NKDloDb0iCThe4IuDuFe+vpxPWcw30U',
    'q05wKHM5mQTtRN3IugQGeoIpVVxzSg7iI8qrOMHCD5IokhMUeRlFhM0+U9nFQ6z6aAqPl/BkfXspOy55LL3hqZyDFmgCnvHZusVZ',
    'PoedyQvT9A1nbLojwzM92zQtw7JH9oQ0w4/yBi/pr3XZFah0qCpna/Xy/HugnF/r2C4+yAo5Rf4gfxFlT1H6yA5iILvIe+QTUiEr',
    '5BvyHfmBnCI/kV/I773/vy2ZAQcDAAA=',
  ],
  'legacy, protocol 3': [
    'H4sIAAAAAAACA22RPW/UQBCG92zfXbKQcAlfFz6klJfmFF2+fBWJQGlWhORo3CDjs1fnRY7Xs7u+AFIkUyQkqSgpKFKmpKTMT6Hl',
    'JyBRMHYIIigrP7vyePzOO7OFfUKTX182f86/Odue6xb28x827vtAOl6LEJIpaWQoE3/MlRYyhRomeFP4JRHGJNznaSSCFKwjj2LQ',
    'vMu4r8V7rgE1nI5Xx6COpTJQZ5Zn45tIDTSY4zmlhkxH0GROnl/WLKNjwfegFhqpwrjr50YkmvqKD3ORRL7hqZbKH/coWJ2O1yz1',
    'MTMYcbAvfqGbiQzMy4sgBcebxpz+srvaX1t23ZWeu9SDemUlzHK00t4y0NxhDWYz6xAmmMUahzB5HGLXCQ8NNq3pCxVxxaNnIjQU',
    '6MIAbhi4OYCpSkZGEUzH6Ca+dPBU7mYJf3vVyK3/jKz1V11oxQ1moYGZHUaYdQCzrHYAt4/jssYdA3cHcK+aSaBGGu6HeGSB0pxu',
    'BbtcZ0GIuu2FDzC3Dw+qC4jkXqqDsjo8xE4c5nyER3pY+RyKETw+mSR/1nk59Ffl0K8ZUO06sxbvtsm/q3iC2zo+SIGcIufId4Rs',
    'ENJC5pFFZB3ZRl4jGVIgR8gn5DNyipwhX5FvG9bVGn/P3zo6yviwAgAA',
  ],
  'legacy, protocol 4': [
    'H4sIAAAAAAACA3WRPU/cQBCGjb13CceHTqEhHV1Mc4rgvqgCSoQirUIINGkix2evzosWr7W7PkKkSE4BAbRFJAYpRQpKypQp+Slp',
    '8xOQUmR8MQoCsfKj2RntzDszLsjZjPPvnDTEn+/rVws7F5uPWwU5I1X81W+vdN9W7ifwbTNT0shIimDElOYyBXxkZwQ3RrCApTEP',
    'UziyDbOfsUDzj0xDmVbTiVQGqGs9nqIllgiZDvGS56XEy4n/EmTE2R7YaSNVlLSC3HChwT4KFBvkXMSBYamWKhgtwSn4vn2g8WE4',
    'ZGBr4wzMXBcyNNtV+BTs7Eq7313ptfv9Tqfd6YL1oiwHOr9h4A2tU4+6h9garR/CsZ3C2QSLDI6GqlOvVcwUi1/wyGClxS0wsIX5',
    'Mo4hIb6f1JK6nXsudzPBPtwr2+std5eXIGlQdyzpUPcA6MQBHCfN65IkVEMUfIgmC5XGcSY3wl2mszAqiy1+xj3aRiz3Uh2WamXD',
    'hJIvoAfWG/AhnExWv8m5HK/0SeW9w5Xe7uTORljLvc52imc37bxz84xjq/ghBXKOXCK/EGfNcZrIAvIUWUU2kfdIhhTIEfIV+Yac',
    'IxfID+Tn2l8/lG6jjwIAAA==',
  ],
  'legacy, protocol 5': [
    'H4sIAAAAAAACA32RPW/UQBCGHX8c5ELQCZrQpcNpTujIh1MlEShCsgghNDTI+OzVeZHjtXbXF0BCMkVCEm2BlIlEQZEyJSVlfgot',
    'PwGJgteH+ZZY7ePZWe3MOzOuvdNZ6/s67uZf329+mX92vn2jX3unbnt//7PTuI9b9xX5pldKoUUi8mjMpOKiIDwysznXOmcRK1Ie',
    'F3RouvpFySLFXzJFTZinMiE1hbZxeAHrGjcXxQiHqmok7k39knDHnO2RuaKFTLJ+VGmeKzLXIsmGFc/TSLNCCRmNB3RCvm8uKTyM',
    'R4yMN4lA5GYuYv2ovT4hc3V1MVheXVkMgqVBcHtAxknKisK5LU0Pw07ohPYBSgs7B3RkZtBbzhKN1qA680CmTLL0Lk80Mi3skKYd',
    'xIs0pcz1/czLOub6HbFb5uz5f2RXgqVlyrqhPZG0Qnufwql9Osp6P1K6sRxB8DJMGUuFdqa34l2myjhpki28xhxNNxV7hYobtaZg',
    'N3TfkBoaZ8hHdDzd/ibrYjLSm633BCP9ZwB/l8b6c9bvq17DZx0b1OAMXIBPwNqwrB6YB7fAOtgGT0EJanAI3oJ34Aycgw/g44b9',
    'p8ZP+w296ZKCjwIAAA==',
  ],
  'zip, protocol 1': [
    'H4sIAAAAAAACA6VVPW/TQBi+fNQNLvQjUAqFlgoxGImmtvPVgKA0oEjICNLwoYjFdZwjMThxzr60gFSpAiExMjKhTsDIguiIxC+A',
    'mQGJiYmNgYn3bJrartoIOPnJJdE9z/u8d+97LiuxOEKJBNoxRlESabbeNFbwXF2jWqpz3ywVh9GdwFgjSKiCAlox8CqJ6NQCSkrt',
    'UsN0eNXGta5h1lWK245lqysyT6KCUB2E9Q6s1BqYxDwKXzItjd7w/uRJvBqBNSIZqMZg1jtdwilHKBlcUjhBiSlRShKCElU4SvZd',
    'EUVe1y3TxDo1rLbDX7fr2Mb1y4ZOecKfrpAhSvZXyAFXyqrXyXATTDS3Al+yWh0TPwjGH3HjS2S0ybFgY0sKEtiXpKBEKDnIYjaZ',
    '9CFKxivksLsDmt1wyARY6TyExBssex38ULvLIvHkiKDDko5mO5i/prWw09F0CHVUV1W2S9Roqypv1e5h5nvyGiXHKuT4Gpmq8iBe',
    't1bbjsackmmWeVyJU3LCqblJ1YwGmbk6K0nzYrYg5WQxL+UzkpQW0xk5c5XvpsrKYCKJ3029gqwYyrue+gQa75166q5ltzSqrmDb',
    'gZ0tFcdChw9DYtLvf3x5wvaLYXfpSZTflv5z/KpmGo12C7dpqZjeqd5/5DLMwMIq+R6FENE9DYyhhZ6B2kOKLVYopeK5f4m7NUyD',
    'UhMzD0/PfzvKQRRuTw/D6EKgq+bEUvHsfxjwVNcX4OMiPIB1wAbgA+ArAC1CLwNmACLgIqAMWAZ0AOuAZ4DngBeADcAbwFvA5iLL',
    '7PHil/YyCC33yexUMDOpVJxB/f273rdyQCzeydfIHnVvoL3ijaB0L16vQuf+divTPIv46WXjVv/6mUbydgG7KTrYNqCCH2ns5lGN',
    'eqmY+ksDYjYnSeJ8Vk7npEIuL2blQkbK5bPpQr4wD208L8tyJp/JMZeVm7+yAvgQXJcRZrbn09/dozuch+/xMNvfwBMB5s8I2u0+',
    'CIv4m3AyILIURXt0fljH30hjAZ3PPp1eA4fp/modDtBvx1Co98Jcf+UFuWI8xJXCXH8NjQS4Gz7uLnvnP9rpADk5gPoUXVnhuDNb',
    'JRqb7TEToXko6s2bA94MPPYiRh8Hvd/e7T3AeZyEu95b+xscwX8CJQgAAA==',
  ],
  'zip, protocol 5': [
    'H4sIAAAAAAACA6VUz08TQRSebrfbAgYKHlAOhBgTS4Jlt6UtaBQoZi+baMV44dJuu2O7cdutu9uiJiRVwy+zByNj4slw0yM3PfIv',
    '4METBxNPnvwXfNOlZXcrIDrp10mb+d773rzvTU4KsghFIqhnRdEIko1SRW3iaUW25Hj9sSZmB9GKZ7VC76YCDmGNxGy2qeJVYl+w',
    'dGDG8w1L1Uxij+QNXGyompK3cM3UjXwzQXZILGaHTTgolzGxQ20GMEVNl60HR3/vEDvAEztYqjeIdMki9yVOCkrMBpEYidsg2/ZA',
    'Sdc0XLJUvQZ5Bu4ZCjawckctWcCdXCYWWQa6riikwsZilVCFsy8u6dW6hp/2JBJIpV9iaBIkMetECqyT7Uq0E4SVjTKkiMBWlw0T',
    'JPfdlavYrMslSp98QdaI3a/oqzVTpvGpRFZiN4lZtINFtUxe93Vudr8Rz0nhyLWtxn4G7o4id2IbRhHbbUP8kW5UZSvfxIYJFYtZ',
    'hAQa6fOvw1e0CRQnRxpDmeNIRxeflzW1XKvimiVmk77W/tVKz1AB86tPfjKQgjlVwDCa7wooPrOwTrslZm/+S97O0lTL0jDVsH7r',
    'x2UOsnCnahhEtz2unubF7I3/EOBEbc3D1wJ8AC3ALmAf8B2AFmGWABMAHrAAyAEKgDqgBdgCvAG8B+wCPgH2AF8WaWUvFw9rBQhU',
    'OKOyq97KBDE7gc7W39beqQHRfFc+IiPafgFOyzeEkt18XUNOn/cqk/0048GH8sOz/TOOEscGbpdoYkMFBz+X6QOQVxUxGz+nAD6V',
    'FgR+NpVIpoW5dIZPJeZmhASfTqdmkkkhkxR4IZPKZNouH/q6gmOgI9ZWGaBiuzrdwxztUe5/R/1s9wCPepibAXTS+PuDuIdwzBPk',
    'wB2kZ/L9cdyDNOyJs8yg3gH2091uHfTQvzHIN3t+rtt5Xu5e0McV/Fy3h4Y83AkW+Z3qJ7tbO+4hv3WR/2y6nMRxUx2LBq93mRHf',
    'PsA4+2zI2YEXpvtS2PntvN4hzuFE2ueds78Bs5gtAaUHAAA=',
  ],
} as const;

const open = async (file: keyof typeof FILES): Promise<Map<string, unknown>> => {
  const bytes = gunzipSync(Buffer.from(FILES[file].join(''), 'base64'));
  return (await openTorchFile(blobSource(new Blob([new Uint8Array(bytes)])))) as Map<string, unknown>;
};
const READABLE = (Object.keys(FILES) as (keyof typeof FILES)[]).filter((name) => !name.endsWith('0'));

describe.each(READABLE)('a file of torch.save, %s', (file) => {
  it('gives its tensors and settings', async () => {
    const saved = await open(file);
    const view = saved.get('view') as StoredTensor;
    expect(Array.from(await view.readFloat32())).toEqual([6, 12, 8, 14, 10, 16]);
    expect(at(toPlain(saved), 'args', 'downsample')).toEqual([2, 4, 4]);
    expect(saved.get('big')).toBe(-(2n ** 70n));
  });

  it('refuses a tensor of a type that it does not know only when that one is wanted', async () => {
    const odd = (await open(file)).get('odd') as StoredTensor;
    expect(odd).toMatchObject({ dtype: 'complex64', shape: [2] });
    await expect(odd.read()).rejects.toThrow('a tensor that is wanted has the type complex64');
    await expect(odd.readFloat32()).rejects.toThrow('not a floating point type');
  });
});

it('says why tensors of protocol 0 cannot be found, which PyTorch itself does not load', async () => {
  await expect(open('legacy, protocol 0')).rejects.toThrow('pickle protocol 0');
});
