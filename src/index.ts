/** @file The public API. The compute engine alone is `rmac/backend`. */
export { type Device, type EngineOptions, startEngine } from './backend/index.js';
export { detectFeatures, type DetectOptions } from './cleaning/features/detect.js';
export { type Features } from './cleaning/features/features.js';
export { type GreyImage, readGreyImage } from './cleaning/features/grey-image.js';
export { matchFeatures } from './cleaning/matching/matching.js';
export { verify } from './cleaning/matching/verification.js';
export { decodeImage, decodeImages, type ImageSizing, toTensor } from './data/images.js';
export { type RgbImage } from './data/rgb-image.js';
export { type Box, type ImageRecord, readManifest, writeManifest } from './data/manifest.js';
export { loadModel, saveModel } from './data/model-file.js';
export { type DemoResult } from './demo/demo-result.js';
export { InputError, UsageError } from './errors.js';
export { exportOnnx } from './export/onnx.js';
export { verifyOnnx } from './export/verify-onnx.js';
export { averagePrecisionLoss } from './losses/average-precision.js';
export { contrastiveLoss } from './losses/contrastive.js';
export { crossEntropy } from './losses/cross-entropy.js';
export { tripletLoss } from './losses/triplet.js';
export { architectures, defaultMeta, initialWeights } from './models/architectures.js';
export { DescriptorModel } from './models/descriptor.js';
export { importWeights } from './models/import-weights.js';
export { type ModelMeta, type PoolingOptions } from './models/meta.js';
export { l2Normalize } from './models/normalize.js';
export { gem, mac, regionMaxPool, spoc } from './models/pooling.js';
export { pixelGrid, rigidGrid, rmacPlusGrid } from './models/regions.js';
export { encodeSafetensors, type NamedArray, type NamedArrays, parseSafetensors } from './models/safetensors.js';
export { whiten, withoutWhitening, withWhitening } from './models/whitening.js';
export { averagePrecision } from './retrieval/average-precision.js';
export { describeImages } from './retrieval/describe.js';
export { evaluateDescriptors, evaluateSettings } from './retrieval/evaluate.js';
export { evaluateRankings } from './retrieval/evaluate-rankings.js';
export { expandGroundTruth } from './retrieval/expand-ground-truth.js';
export { augmentDatabase, expandQueries } from './retrieval/expansion.js';
export { type GroundTruth, labelsGroundTruth, readGroundTruth } from './retrieval/ground-truth.js';
export { learnWhitening } from './retrieval/learn-whitening.js';
export { type CompactMap, compactMap } from './retrieval/localization/compact-map.js';
export { describeGroundTruthMaps } from './retrieval/localization/describe-maps.js';
export { groundTruthReranker } from './retrieval/localization/ground-truth-reranker.js';
export { approximateMax, integralMap } from './retrieval/localization/integral-max.js';
export { localize, localizeExhaustively } from './retrieval/localization/localize.js';
export { encodeMapStore, parseMapStore } from './retrieval/localization/map-store.js';
export { modelRegions } from './retrieval/localization/model-regions.js';
export { localizationQuery, rerankShortlist } from './retrieval/localization/rerank.js';
export { blocksOf, nearestRows } from './retrieval/nearest-rows.js';
export { encodeNpy, parseNpy } from './data/npy.js';
export { bootstrapInterval } from './retrieval/protocols/bootstrap.js';
export { openBenchmark } from './retrieval/protocols/open-benchmark.js';
export { pairedTest } from './retrieval/protocols/paired-test.js';
export { npyRows } from './data/npy-rows.js';
export { clean, type CleanedPart, cleanPart, type CleanStageOptions, type CleanSummary } from './stages/clean.js';
export { type ColumnNames } from './collection/collect-photographs.js';
export { type Turn, type TurnCount } from './collection/turned-query.js';
export { type ColumnFilter } from './collection/vector-store.js';
export { compare, type CompareStageOptions, type CompareStageResult } from './stages/compare.js';
export { type SharedChoice } from './stages/compared-systems.js';
export { type ServiceLimits } from './service/limits.js';
export { silentView, type StageContext, type StageProgress, type StageView } from './stages/context.js';
export { demo, type DemoOptions } from './stages/demo.js';
export { type DeviceReport, doctor, type DoctorReport, tryDevice } from './stages/doctor.js';
export { group, type GroupFiles, type GroupStageOptions, type GroupStageResult } from './stages/group.js';
export {
  addToIndex,
  buildIndex,
  type IndexAddOptions,
  type IndexBuildOptions,
  type IndexRemoveOptions,
  type IndexUpdateResult,
  removeFromIndex,
} from './stages/index-update.js';
export { type KernelReport, listKernels, type NetworkReport } from './stages/doctor-kernels.js';
export {
  downloadBenchmark,
  type DownloadBenchmarkOptions,
  type DownloadedBenchmark,
  type DownloadedLandmarks,
  downloadLandmarks,
  type DownloadLandmarksOptions,
} from './stages/download.js';
export { evaluate, type EvaluateStageOptions, type EvaluateStageResult } from './stages/evaluate.js';
export { explain, type ExplainStageOptions, type ExplainStageResult } from './stages/explain.js';
export { exportModel, type ExportReport, type ExportStageOptions } from './stages/export.js';
export { exportSite, type ExportSiteOptions, type ExportSiteResult } from './stages/export-site.js';
export type { StoredVectors } from './stages/site-vectors.js';
export { extract, type ExtractStageOptions, type ExtractStageResult } from './stages/extract.js';
export { match, type MatchReport, type MatchStageOptions } from './stages/match.js';
export { type MeasureRetrievalOptions } from './stages/measure-retrieval.js';
export { type MeasuredChoice } from './stages/measured-sources.js';
export { type EngineChoice, type ModelChoice, openEngine } from './stages/open-model.js';
export { type FitChoice, type PresetChoice } from './stages/open-preset.js';
export { measureModelRegions, type RegionsStageOptions, type RegionsStageResult } from './stages/regions.js';
export { reportRun, type ReportStageOptions, type ReportStageResult } from './stages/report.js';
export { scan, type ScanReport, type ScanStageOptions } from './stages/scan.js';
export {
  type CollectionInfo,
  type CollectionItem,
  type FoundObject,
  indexInfo,
  openCollection,
  type OpenCollectionOptions,
  type OpenedCollection,
  type SearchAnswer,
  type SearchOptions,
  type SearchQuery,
  type SearchResult,
} from './stages/search.js';
export { type GeneratedViews, generateViews, type GenerateViewsOptions } from './stages/generate-views.js';
export { type ServedCollection, serve, type ServeStageOptions } from './stages/serve.js';
export { type AnsweredQuery, reportSearch } from './stages/search-report.js';
export { split, type SplitHalf, type SplitReport, type SplitStageOptions } from './stages/split.js';
export { synthesize, type SynthesizeStageOptions } from './stages/synthesize.js';
export { verifyExport, type VerifyStageOptions } from './stages/verify.js';
export { averageModels, type WeightsAverageOptions, type WeightsAverageReport } from './stages/weights-average.js';
export { downloadWeights, type WeightsDownloadOptions, type WeightsDownloadReport } from './stages/weights-download.js';
export { exportNetwork, type WeightsExportOptions, type WeightsExportReport } from './stages/weights-export.js';
export { importModel, type WeightsImportOptions, type WeightsImportReport } from './stages/weights-import.js';
export { inspectWeights, type WeightsReport } from './stages/weights-inspect.js';
export { whitenModel, type WhitenStageOptions, type WhitenStageResult } from './stages/whiten.js';
export { type SynthesizeSummary } from './synthetic/dataset.js';
export { describeForSystem, evaluateSystem } from './systems/describe-for-system.js';
export { openSystem } from './systems/open-system.js';
export { presets } from './systems/presets.js';
export { type Preset, type System } from './systems/system.js';
export { type RunState } from './run/checkpoint.js';
export { RunFolder } from './run/run-folder.js';
export { type FinishSummary, type MeasuredShare, type RunRecord } from './run/run-records.js';
export {
  type ClassifyEstimate,
  estimateClassify,
  type TrainClassifyOptions,
  trainClassify,
} from './stages/train-classify.js';
export { estimateRpn, type RpnEstimate, type TrainRpnOptions, trainRpn } from './stages/train-rpn.js';
export { type TrainResult } from './stages/train-run.js';
export { type SeedsResult, type Spread } from './stages/train-seeds.js';
export { type TrainOptions } from './stages/train-settings.js';
export {
  estimateTriplet,
  type TrainTripletOptions,
  type TripletEstimate,
  trainTriplet,
} from './stages/train-triplet.js';
export { ClassifierHead, headLayout, initialHead } from './train/classify/classifier-head.js';
export { type ClassifyConfig, classifyConfigSchema } from './train/classify/classify-config.js';
export { ClassifyTrainer } from './train/classify/classify-trainer.js';
export { type Collective, singleProcess } from './train/collective.js';
export { GradientAccumulator, namedGradients } from './train/gradients.js';
export { type LoopOptions, type RunStore, runLoop } from './train/loop.js';
export { openCollective } from './train/mpi.js';
export { type Endings, ProcessGroup } from './train/process-group.js';
export { ProposalsTrainer } from './train/proposals/proposals-trainer.js';
export { type RpnConfig, rpnConfigSchema } from './train/proposals/rpn-config.js';
export { RandomStream } from './train/random.js';
export { mineTriplets } from './train/ranking/mining.js';
export { RankingTrainer } from './train/ranking/ranking-trainer.js';
export { type TripletConfig, tripletConfigSchema } from './train/ranking/triplet-config.js';
export { type FolderOptions, trainInFolder } from './train/train-in-folder.js';
export { type Criterion, type Gradient, type Measurement, type NextUpdate, type Trainer } from './train/trainer.js';
export { type TrainingConfig, type TrainingDefaults, trainingSettings } from './train/training-config.js';
export { type TrainingRecord, withViews } from './train/views/training-record.js';
export { openViews, ViewGenerator } from './train/views/view-generator.js';
export { type ViewSettings, viewSettingsSchema } from './train/views/view-settings.js';
