/** Conversion of official checkpoints to models that the page loads: plan first, then convert. */

export {
  type ConversionProgress,
  type ConversionResult,
  type ConvertOptions,
  convert,
  type UsedTensor,
} from './convert';
export type { Answers, Fact, Need } from './needs';
export { SAMPLING_RECIPES, type SamplingRecipe } from './officialSampling';
export { type ConversionOptions, type ConversionPlan, type Inspection, planConversion } from './plan';
export { reportText } from './reportText';
export type { ModelSink } from './shardWriter';
export type { Skipped } from './skipped';
export { INT4_GROUPS, type Int4Group, QUANTIZATIONS, type Quantization } from './storage';
