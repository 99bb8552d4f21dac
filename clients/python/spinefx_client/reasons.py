"""Why something failed, in words that a radiologist can act on.

The server's reasons are those of ``src/pipeline/error.rs`` and ``src/service/status.rs``; a test reads these
files and fails when one has no sentence here. ``{name}`` stands for a variable that came with the reason.
"""

from __future__ import annotations

from string import Formatter
from typing import Any, Dict, Mapping

_REPORT = "Please tell whoever runs the server; its log names this request."
_CLIENT_BUG = "This client and the server do not understand each other: update both."

SERVER: Dict[str, str] = {
    # The volume and its geometry
    "VOLUME_TOO_LARGE": "The volume has {voxels} voxels, more than the {limit} that this server takes. Crop it to the spine first.",
    "GRID_EMPTY_AXIS": "The volume is empty along one axis.",
    "GRID_SPACING": "The volume's voxel spacing is not above zero. Check its spacing.",
    "GRID_ORIGIN": "The volume's position is not a number. Check its origin.",
    "GRID_DIRECTION": "The volume's axes are not perpendicular. Resample it onto an even grid first.",
    "GRID_VOXEL_COUNT": "The number of voxels does not fit the volume's size. " + _CLIENT_BUG,
    "VOXEL_NOT_A_NUMBER": "The volume holds voxels that are not numbers. Replace them, for example by -1024.",
    # DICOM
    "DICOM_NONE": "There is no DICOM image among the files.",
    "DICOM_NOT_CT": "These images are {modality}, not CT. Only CT can be segmented.",
    "DICOM_NO_SUCH_SERIES": "The series that was asked for is not among the files.",
    "DICOM_CORRUPT": "A DICOM file is damaged or cut off ({name}). Export or download the series again.",
    "DICOM_TRANSFER_SYNTAX": "A DICOM file is compressed in a way that the server cannot read ({transfer_syntax_uid}). Export it uncompressed.",
    "DICOM_PIXELS": "The images have a pixel format that is not that of a CT.",
    "DICOM_MISSING_ATTRIBUTE": "A DICOM file lacks {tag}, without which the images cannot be placed. Export the series again.",
    "DICOM_INVALID_ATTRIBUTE": "A DICOM file has a value in {tag} that makes no sense. Export the series again.",
    "DICOM_MIXED_GEOMETRY": "The images of the series differ in size or direction (a localiser among them?). Choose one stack.",
    "DICOM_CONFLICTING_DUPLICATE": "Two different images claim to be the same one. Export the series again.",
    "DICOM_UNEVEN_SPACING": "Slices are missing or unevenly spaced ({found_mm} mm where {expected_mm} mm is expected). Tick 'resample_uneven' to accept that.",
    "DICOM_GANTRY_TILT": "The gantry was tilted by {degrees} degrees. Tick 'resample_uneven' to accept that.",
    "DICOM_TOO_FEW_SLICES": "The series has too few slices for a volume.",
    "DICOM_LIMIT": "The series is larger than this server takes: {what} {found}, limit {limit}. Send the spine's slices alone.",
    "DICOM_READ": "The server could not read the DICOM files. " + _REPORT,
    "ZIP": "The zip archive is damaged ({name}). Make it again.",
    # Files
    "FILE_UNSUPPORTED": "The server cannot read this kind of image file. Use NIfTI, NRRD or MetaImage.",
    "FILE_BAD": "The image file is damaged.",
    "FILE_TOO_SHORT": "The image file is cut off: {found_bytes} of {claimed_bytes} bytes are there.",
    "FILE_GRID": "The image file's geometry makes no sense.",
    "FILE_IO": "The server could not keep a file that it needs. " + _REPORT,
    # Load and limits
    "QUEUE_FULL": "The server is busy and {limit} others wait already. Try again later.",
    "DRAINING": "The server is stopping or restarting. Try again in a minute.",
    "MEMORY": "The server has not enough memory for this volume. Crop it to the spine first.",
    "DEVICE_MEMORY": "The server's graphics card has not enough memory for this volume. Crop it, or try again later.",
    "MESSAGE_TOO_LARGE": "The server takes only messages up to {limit} bytes. " + _CLIENT_BUG,
    "UPLOAD_TOO_LARGE": "The volume is {bytes} bytes, more than the {limit} that this server takes. Crop it to the spine first.",
    "TOO_MANY_INSTANCES": "The series has {instances} images, more than the {limit} that this server takes. Send the spine's slices alone.",
    "UPLOAD_STALLED": "The upload stood still for {idle_s} s and was given up. Check the network and try again.",
    "DEADLINE": "The work took longer than the {deadline_s} s that the server allows. Crop the volume to the spine.",
    "CANCELLED": "Cancelled.",
    # Who and what
    "TOKEN": "The server wants another access token. Ask whoever runs it.",
    "UNKNOWN_MODEL": "The server has no model named {model}; it has: {known}. Connect again to renew the list.",
    "DUPLICATE_REQUEST": "This very request is being worked on already.",
    # The talk itself
    "HEADER_MISSING": _CLIENT_BUG,
    "CHUNK_MISSING": _CLIENT_BUG,
    "PAYLOAD_MISSING": _CLIENT_BUG,
    "SOURCE_MISSING": _CLIENT_BUG,
    "MESSAGE_MALFORMED": _CLIENT_BUG,
    "FIELD_INVALID": "A setting is not allowed: {field} is {found}; {expected}.",
    "BYTE_COUNT": "The upload is not as long as announced ({found} of {expected} bytes). Try again.",
    "INSTANCE_COUNT": "{found} images arrived where {expected} were announced. Try again.",
    "PART_ORDER": _CLIENT_BUG,
    "GZIP": "The compressed upload was damaged on its way. Try again.",
    # The server's own faults
    "OVERLAY": "The server could not draw the pictures. " + _REPORT,
    "ITK": "The server failed while resampling. " + _REPORT,
    "NOT_FINITE": "The model gave no numbers for this volume. " + _REPORT,
    "INFERENCE": "The model failed on this volume. " + _REPORT,
    "NO_SEG": "No DICOM SEG could be made of the mask, so nothing was stored in the archive.",
    "WORKER_PANIC": "The server failed on this volume; it goes on with others. " + _REPORT,
    "INTERNAL": "The server failed. " + _REPORT,
}
"""What the server can send."""

CLIENT: Dict[str, str] = {
    # Before anything is sent
    "ADDRESS": "'{address}' is no address of a server. Write host:port, http://host:port or https://host:port.",
    "FILE_MISSING": "There is no file or folder {path}, or it cannot be read.",
    "FOLDER_EMPTY": "There is no file in {path}.",
    "VOLUME_EMPTY": "The volume has no voxels.",
    "VOLUME_GEOMETRY": "The volume's spacing, origin or axes are not usable numbers. Load it again.",
    "VOLUME_SHEARED": "The volume's axes are not perpendicular: a transform with shear or uneven scaling was hardened into it, or its axes were edited. Resample it onto an even grid first (module Resample Scalar/Vector/DWI Volume).",
    "VOLUME_SHAPE": "The voxels have the shape {found}; the grid needs {expected} (slices, rows, columns).",
    "VOLUME_KIND": "This is {found}, not a scalar CT volume.",
    "VOLUME_NOT_CT": "This volume is {modality}, not CT. Only CT can be segmented.",
    "VOLUME_GONE": "The volume was removed while it was being segmented, so the result was dropped.",
    "NOT_A_NUMBER": "The volume holds voxels that are not numbers. Replace them, for example by -1024.",
    "VALUE_TYPE": "The voxels are of a type that cannot be CT values ({found}).",
    "TOO_LARGE": "The volume has {voxels} voxels ({bytes} bytes); this server takes {limit_voxels} voxels and {limit_bytes} bytes. Crop it to the spine first (module Crop Volume).",
    "OPTION": "'{value}' is not allowed for {name}: {expected}.",
    "TLS_FILE": "The certificate file {path} cannot be read.",
    "PROGRAM_MISSING": "The program spinefx was not found. Install it, or say where it is.",
    "PROGRAM_FAILED": "The local server did not start: {what}",
    # On the way
    "UNREACHABLE": "No spinefx server answers at {address}. Is it running, is the address right, does a firewall forbid it? A server with TLS needs https:// before its address.",
    "TLS": "A secure connection to {address} was not possible. Is it a server with TLS, and is its certificate (or its authority's) given here?",
    "CONNECTION_LOST": "The connection to the server broke: the server stopped or the network failed. Nothing was changed here; try again.",
    "SILENT": "The server has said nothing for {seconds} s and was given up. Is the network down, or the server stuck?",
    "INPUT": "The input could not be read to its end: {what}",
    "OLD_SERVER": "The server is of another version and does not know what this client asks for ({what}). Update the server.",
    "OTHER_PROTOCOL": "The server speaks {found}; this client speaks {expected}. Update the older of them.",
    "NOT_SPINEFX": "Something answers at {address}, but it is no segmentation server. Check host and port.",
    "OUTPUT": "The result was damaged on its way ({name}). Try again.",
    "PROTOCOL": "The server's answer makes no sense: {what}. " + _CLIENT_BUG,
    "OTHER": "The server failed without saying why ({what}). " + _REPORT,
    "UNEXPECTED": "This client failed: {what}. Please report it.",
}
"""What this client finds out by itself."""


class _Known(Dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence(reason: str, variables: Mapping[str, Any], fallback: str = "") -> str:
    """The sentence for a reason. A reason of a newer server gets the server's own words (``fallback``)."""
    text = SERVER.get(reason) or CLIENT.get(reason)
    if text is None:
        return fallback or f"The server refused ({reason})."
    # A server may leave out a variable; the sentence must come nevertheless.
    return Formatter().vformat(text, (), _Known(variables))
