from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoxelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOXEL_TYPE_UNSPECIFIED: _ClassVar[VoxelType]
    VOXEL_TYPE_INT16: _ClassVar[VoxelType]
    VOXEL_TYPE_UINT16: _ClassVar[VoxelType]
    VOXEL_TYPE_INT32: _ClassVar[VoxelType]
    VOXEL_TYPE_FLOAT32: _ClassVar[VoxelType]
    VOXEL_TYPE_UINT8: _ClassVar[VoxelType]

class FileFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_FORMAT_UNSPECIFIED: _ClassVar[FileFormat]
    FILE_FORMAT_NIFTI: _ClassVar[FileFormat]
    FILE_FORMAT_NIFTI_GZ: _ClassVar[FileFormat]
    FILE_FORMAT_NRRD: _ClassVar[FileFormat]
    FILE_FORMAT_META_IMAGE: _ClassVar[FileFormat]

class Compression(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPRESSION_UNSPECIFIED: _ClassVar[Compression]
    COMPRESSION_GZIP: _ClassVar[Compression]

class OutputKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTPUT_KIND_UNSPECIFIED: _ClassVar[OutputKind]
    OUTPUT_KIND_LABELMAP: _ClassVar[OutputKind]
    OUTPUT_KIND_PROBABILITIES: _ClassVar[OutputKind]
    OUTPUT_KIND_NIFTI: _ClassVar[OutputKind]
    OUTPUT_KIND_NRRD: _ClassVar[OutputKind]
    OUTPUT_KIND_DICOM_SEG: _ClassVar[OutputKind]
    OUTPUT_KIND_OVERLAYS: _ClassVar[OutputKind]
    OUTPUT_KIND_FINDINGS_JSON: _ClassVar[OutputKind]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_QUEUED: _ClassVar[Stage]
    STAGE_DECODE: _ClassVar[Stage]
    STAGE_PREPROCESS: _ClassVar[Stage]
    STAGE_INFER: _ClassVar[Stage]
    STAGE_POSTPROCESS: _ClassVar[Stage]
    STAGE_ENCODE: _ClassVar[Stage]
    STAGE_FETCH: _ClassVar[Stage]
    STAGE_STORE: _ClassVar[Stage]
VOXEL_TYPE_UNSPECIFIED: VoxelType
VOXEL_TYPE_INT16: VoxelType
VOXEL_TYPE_UINT16: VoxelType
VOXEL_TYPE_INT32: VoxelType
VOXEL_TYPE_FLOAT32: VoxelType
VOXEL_TYPE_UINT8: VoxelType
FILE_FORMAT_UNSPECIFIED: FileFormat
FILE_FORMAT_NIFTI: FileFormat
FILE_FORMAT_NIFTI_GZ: FileFormat
FILE_FORMAT_NRRD: FileFormat
FILE_FORMAT_META_IMAGE: FileFormat
COMPRESSION_UNSPECIFIED: Compression
COMPRESSION_GZIP: Compression
OUTPUT_KIND_UNSPECIFIED: OutputKind
OUTPUT_KIND_LABELMAP: OutputKind
OUTPUT_KIND_PROBABILITIES: OutputKind
OUTPUT_KIND_NIFTI: OutputKind
OUTPUT_KIND_NRRD: OutputKind
OUTPUT_KIND_DICOM_SEG: OutputKind
OUTPUT_KIND_OVERLAYS: OutputKind
OUTPUT_KIND_FINDINGS_JSON: OutputKind
STAGE_UNSPECIFIED: Stage
STAGE_QUEUED: Stage
STAGE_DECODE: Stage
STAGE_PREPROCESS: Stage
STAGE_INFER: Stage
STAGE_POSTPROCESS: Stage
STAGE_ENCODE: Stage
STAGE_FETCH: Stage
STAGE_STORE: Stage

class GetManifestRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetManifestResponse(_message.Message):
    __slots__ = ("manifest",)
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    manifest: Manifest
    def __init__(self, manifest: _Optional[_Union[Manifest, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class SegmentVolumeRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: SegmentVolumeHeader
    chunk: Chunk
    def __init__(self, header: _Optional[_Union[SegmentVolumeHeader, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ...) -> None: ...

class SegmentVolumeHeader(_message.Message):
    __slots__ = ("request_id", "model", "raw", "dicom", "file", "upload_compression", "options")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    DICOM_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    raw: RawVolume
    dicom: DicomInstances
    file: EncodedFile
    upload_compression: Compression
    options: SegmentOptions
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., raw: _Optional[_Union[RawVolume, _Mapping]] = ..., dicom: _Optional[_Union[DicomInstances, _Mapping]] = ..., file: _Optional[_Union[EncodedFile, _Mapping]] = ..., upload_compression: _Optional[_Union[Compression, str]] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ...) -> None: ...

class RawVolume(_message.Message):
    __slots__ = ("grid", "voxel_type")
    GRID_FIELD_NUMBER: _ClassVar[int]
    VOXEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    grid: Grid
    voxel_type: VoxelType
    def __init__(self, grid: _Optional[_Union[Grid, _Mapping]] = ..., voxel_type: _Optional[_Union[VoxelType, str]] = ...) -> None: ...

class DicomInstances(_message.Message):
    __slots__ = ("instance_count",)
    INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    instance_count: int
    def __init__(self, instance_count: _Optional[int] = ...) -> None: ...

class EncodedFile(_message.Message):
    __slots__ = ("format", "byte_count")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    BYTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    format: FileFormat
    byte_count: int
    def __init__(self, format: _Optional[_Union[FileFormat, str]] = ..., byte_count: _Optional[int] = ...) -> None: ...

class Grid(_message.Message):
    __slots__ = ("size", "spacing_mm", "origin_lps", "direction")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SPACING_MM_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_LPS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    size: _containers.RepeatedScalarFieldContainer[int]
    spacing_mm: _containers.RepeatedScalarFieldContainer[float]
    origin_lps: _containers.RepeatedScalarFieldContainer[float]
    direction: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, size: _Optional[_Iterable[int]] = ..., spacing_mm: _Optional[_Iterable[float]] = ..., origin_lps: _Optional[_Iterable[float]] = ..., direction: _Optional[_Iterable[float]] = ...) -> None: ...

class SegmentSeriesRequest(_message.Message):
    __slots__ = ("request_id", "model", "source", "options", "skip_store")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SKIP_STORE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    source: DicomWebSeries
    options: SegmentOptions
    skip_store: bool
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., source: _Optional[_Union[DicomWebSeries, _Mapping]] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., skip_store: bool = ...) -> None: ...

class DicomWebSeries(_message.Message):
    __slots__ = ("root", "study_uid", "series_uid", "authorization")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    SERIES_UID_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    root: str
    study_uid: str
    series_uid: str
    authorization: str
    def __init__(self, root: _Optional[str] = ..., study_uid: _Optional[str] = ..., series_uid: _Optional[str] = ..., authorization: _Optional[str] = ...) -> None: ...

class SegmentOptions(_message.Message):
    __slots__ = ("threshold", "minimum_component_mm3", "resample_uneven", "series_uid", "outputs", "output_compression")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_COMPONENT_MM3_FIELD_NUMBER: _ClassVar[int]
    RESAMPLE_UNEVEN_FIELD_NUMBER: _ClassVar[int]
    SERIES_UID_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    minimum_component_mm3: float
    resample_uneven: bool
    series_uid: str
    outputs: _containers.RepeatedScalarFieldContainer[OutputKind]
    output_compression: Compression
    def __init__(self, threshold: _Optional[float] = ..., minimum_component_mm3: _Optional[float] = ..., resample_uneven: bool = ..., series_uid: _Optional[str] = ..., outputs: _Optional[_Iterable[_Union[OutputKind, str]]] = ..., output_compression: _Optional[_Union[Compression, str]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("part", "data")
    PART_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    part: int
    data: bytes
    def __init__(self, part: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class SegmentVolumeResponse(_message.Message):
    __slots__ = ("accepted", "progress", "result", "chunk", "completed")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    progress: Progress
    result: Result
    chunk: Chunk
    completed: Completed
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ...) -> None: ...

class SegmentSeriesResponse(_message.Message):
    __slots__ = ("accepted", "progress", "result", "chunk", "stored", "completed")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    progress: Progress
    result: Result
    chunk: Chunk
    stored: Stored
    completed: Completed
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., stored: _Optional[_Union[Stored, _Mapping]] = ..., completed: _Optional[_Union[Completed, _Mapping]] = ...) -> None: ...

class Stored(_message.Message):
    __slots__ = ("study_uid", "series_uid", "sop_instance_uid", "retrieve_url")
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    SERIES_UID_FIELD_NUMBER: _ClassVar[int]
    SOP_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    RETRIEVE_URL_FIELD_NUMBER: _ClassVar[int]
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    retrieve_url: str
    def __init__(self, study_uid: _Optional[str] = ..., series_uid: _Optional[str] = ..., sop_instance_uid: _Optional[str] = ..., retrieve_url: _Optional[str] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("request_id", "queue_place", "expected_wait_s")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_PLACE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    queue_place: int
    expected_wait_s: float
    def __init__(self, request_id: _Optional[str] = ..., queue_place: _Optional[int] = ..., expected_wait_s: _Optional[float] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("stage", "done", "total", "fraction", "queue_place")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_PLACE_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    done: int
    total: int
    fraction: float
    queue_place: int
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., fraction: _Optional[float] = ..., queue_place: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("grid", "findings", "outputs", "notes", "model", "weights_sha256")
    GRID_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    grid: Grid
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    notes: _containers.RepeatedScalarFieldContainer[str]
    model: str
    weights_sha256: str
    def __init__(self, grid: _Optional[_Union[Grid, _Mapping]] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., weights_sha256: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("id", "segment", "volume_mm3", "centroid_lps", "box_min_lps", "box_max_lps", "box_min_vox", "box_max_vox", "mean_probability", "max_probability", "slice")
    ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_MM3_FIELD_NUMBER: _ClassVar[int]
    CENTROID_LPS_FIELD_NUMBER: _ClassVar[int]
    BOX_MIN_LPS_FIELD_NUMBER: _ClassVar[int]
    BOX_MAX_LPS_FIELD_NUMBER: _ClassVar[int]
    BOX_MIN_VOX_FIELD_NUMBER: _ClassVar[int]
    BOX_MAX_VOX_FIELD_NUMBER: _ClassVar[int]
    MEAN_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MAX_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    id: int
    segment: int
    volume_mm3: float
    centroid_lps: _containers.RepeatedScalarFieldContainer[float]
    box_min_lps: _containers.RepeatedScalarFieldContainer[float]
    box_max_lps: _containers.RepeatedScalarFieldContainer[float]
    box_min_vox: _containers.RepeatedScalarFieldContainer[int]
    box_max_vox: _containers.RepeatedScalarFieldContainer[int]
    mean_probability: float
    max_probability: float
    slice: int
    def __init__(self, id: _Optional[int] = ..., segment: _Optional[int] = ..., volume_mm3: _Optional[float] = ..., centroid_lps: _Optional[_Iterable[float]] = ..., box_min_lps: _Optional[_Iterable[float]] = ..., box_max_lps: _Optional[_Iterable[float]] = ..., box_min_vox: _Optional[_Iterable[int]] = ..., box_max_vox: _Optional[_Iterable[int]] = ..., mean_probability: _Optional[float] = ..., max_probability: _Optional[float] = ..., slice: _Optional[int] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("name", "media_type", "byte_count", "sha256", "compression")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    BYTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    media_type: str
    byte_count: int
    sha256: str
    compression: Compression
    def __init__(self, name: _Optional[str] = ..., media_type: _Optional[str] = ..., byte_count: _Optional[int] = ..., sha256: _Optional[str] = ..., compression: _Optional[_Union[Compression, str]] = ...) -> None: ...

class Completed(_message.Message):
    __slots__ = ("timings", "total_s")
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    timings: _containers.RepeatedCompositeFieldContainer[StageTiming]
    total_s: float
    def __init__(self, timings: _Optional[_Iterable[_Union[StageTiming, _Mapping]]] = ..., total_s: _Optional[float] = ...) -> None: ...

class StageTiming(_message.Message):
    __slots__ = ("stage", "seconds")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    seconds: float
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., seconds: _Optional[float] = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("id", "name", "version", "protocol", "vendor", "license", "description", "intended_use", "input", "segments", "models", "options", "outputs", "limits", "clients")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INTENDED_USE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    version: str
    protocol: str
    vendor: str
    license: str
    description: str
    intended_use: str
    input: InputRequirements
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    options: _containers.RepeatedCompositeFieldContainer[OptionSpec]
    outputs: _containers.RepeatedCompositeFieldContainer[OutputSpec]
    limits: Limits
    clients: _containers.RepeatedCompositeFieldContainer[ClientVersion]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., protocol: _Optional[str] = ..., vendor: _Optional[str] = ..., license: _Optional[str] = ..., description: _Optional[str] = ..., intended_use: _Optional[str] = ..., input: _Optional[_Union[InputRequirements, _Mapping]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., options: _Optional[_Iterable[_Union[OptionSpec, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[OutputSpec, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., clients: _Optional[_Iterable[_Union[ClientVersion, _Mapping]]] = ...) -> None: ...

class InputRequirements(_message.Message):
    __slots__ = ("modality", "body_parts", "voxel_unit", "voxel_types", "payloads", "minimum_size", "recommended_spacing_mm")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    BODY_PARTS_FIELD_NUMBER: _ClassVar[int]
    VOXEL_UNIT_FIELD_NUMBER: _ClassVar[int]
    VOXEL_TYPES_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SIZE_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_SPACING_MM_FIELD_NUMBER: _ClassVar[int]
    modality: str
    body_parts: _containers.RepeatedScalarFieldContainer[str]
    voxel_unit: str
    voxel_types: _containers.RepeatedScalarFieldContainer[str]
    payloads: _containers.RepeatedScalarFieldContainer[str]
    minimum_size: _containers.RepeatedScalarFieldContainer[int]
    recommended_spacing_mm: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, modality: _Optional[str] = ..., body_parts: _Optional[_Iterable[str]] = ..., voxel_unit: _Optional[str] = ..., voxel_types: _Optional[_Iterable[str]] = ..., payloads: _Optional[_Iterable[str]] = ..., minimum_size: _Optional[_Iterable[int]] = ..., recommended_spacing_mm: _Optional[_Iterable[float]] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("number", "label", "category", "type", "anatomy", "color_cielab", "color_srgb", "opacity")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ANATOMY_FIELD_NUMBER: _ClassVar[int]
    COLOR_CIELAB_FIELD_NUMBER: _ClassVar[int]
    COLOR_SRGB_FIELD_NUMBER: _ClassVar[int]
    OPACITY_FIELD_NUMBER: _ClassVar[int]
    number: int
    label: str
    category: CodedConcept
    type: CodedConcept
    anatomy: CodedConcept
    color_cielab: _containers.RepeatedScalarFieldContainer[float]
    color_srgb: _containers.RepeatedScalarFieldContainer[int]
    opacity: float
    def __init__(self, number: _Optional[int] = ..., label: _Optional[str] = ..., category: _Optional[_Union[CodedConcept, _Mapping]] = ..., type: _Optional[_Union[CodedConcept, _Mapping]] = ..., anatomy: _Optional[_Union[CodedConcept, _Mapping]] = ..., color_cielab: _Optional[_Iterable[float]] = ..., color_srgb: _Optional[_Iterable[int]] = ..., opacity: _Optional[float] = ...) -> None: ...

class CodedConcept(_message.Message):
    __slots__ = ("value", "scheme", "meaning")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    value: str
    scheme: str
    meaning: str
    def __init__(self, value: _Optional[str] = ..., scheme: _Optional[str] = ..., meaning: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "description", "default", "architecture", "plane", "spacing_mm", "weights_sha256", "training_data", "accuracy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    PLANE_FIELD_NUMBER: _ClassVar[int]
    SPACING_MM_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    TRAINING_DATA_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    description: str
    default: bool
    architecture: str
    plane: str
    spacing_mm: _containers.RepeatedScalarFieldContainer[float]
    weights_sha256: str
    training_data: str
    accuracy: _containers.RepeatedCompositeFieldContainer[Accuracy]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., description: _Optional[str] = ..., default: bool = ..., architecture: _Optional[str] = ..., plane: _Optional[str] = ..., spacing_mm: _Optional[_Iterable[float]] = ..., weights_sha256: _Optional[str] = ..., training_data: _Optional[str] = ..., accuracy: _Optional[_Iterable[_Union[Accuracy, _Mapping]]] = ...) -> None: ...

class Accuracy(_message.Message):
    __slots__ = ("metric", "value", "data", "volumes")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    data: str
    volumes: int
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., data: _Optional[str] = ..., volumes: _Optional[int] = ...) -> None: ...

class OptionSpec(_message.Message):
    __slots__ = ("name", "type", "description", "unit", "default_number", "default_boolean", "minimum", "maximum", "exclusive_minimum", "allowed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_MINIMUM_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    description: str
    unit: str
    default_number: float
    default_boolean: bool
    minimum: float
    maximum: float
    exclusive_minimum: bool
    allowed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., description: _Optional[str] = ..., unit: _Optional[str] = ..., default_number: _Optional[float] = ..., default_boolean: bool = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., exclusive_minimum: bool = ..., allowed: _Optional[_Iterable[str]] = ...) -> None: ...

class OutputSpec(_message.Message):
    __slots__ = ("kind", "name", "media_type", "description", "default")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    media_type: str
    description: str
    default: bool
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., media_type: _Optional[str] = ..., description: _Optional[str] = ..., default: bool = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("message_bytes", "upload_bytes", "voxels", "instances", "concurrent_requests", "queue_length", "deadline_s", "upload_idle_s")
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    VOXELS_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_IDLE_S_FIELD_NUMBER: _ClassVar[int]
    message_bytes: int
    upload_bytes: int
    voxels: int
    instances: int
    concurrent_requests: int
    queue_length: int
    deadline_s: int
    upload_idle_s: int
    def __init__(self, message_bytes: _Optional[int] = ..., upload_bytes: _Optional[int] = ..., voxels: _Optional[int] = ..., instances: _Optional[int] = ..., concurrent_requests: _Optional[int] = ..., queue_length: _Optional[int] = ..., deadline_s: _Optional[int] = ..., upload_idle_s: _Optional[int] = ...) -> None: ...

class ClientVersion(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...
