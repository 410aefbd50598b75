/** Conversion of official checkpoints to models that the page loads: plan first, then convert. */

export { SAMPLING_RECIPES, type SamplingRecipe } from '../../config/officialSampling';
export {
  type ConversionProgress,
  type ConversionResult,
  type ConvertOptions,
  convert,
  type UsedTensor,
} from './convert';
export type { Answers, Fact, Need } from './needs';
export { type ConversionOptions, type ConversionPlan, type Inspection, planConversion } from './plan';
export { reportText } from './reportText';
export type { ModelSink } from './shardWriter';
export type { Skipped } from './skipped';
export {
  bytesStored,
  INT4_GROUPS,
  type Int4Group,
  QUANTIZATIONS,
  type Quantization,
  storageOf,
} from './storage';
