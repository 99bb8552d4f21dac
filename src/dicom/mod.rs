//! DICOM in and out: CT instances → a volume in HU, a mask → a Segmentation object.
//!
//! This is the only module that knows the dicom-* crates. Nothing read from a file is trusted before it
//! was checked: lengths against the bytes at hand, sizes against the limits, frames against their
//! codestream. No error, note or `Debug` output holds a patient's name, identifier or date.

mod codes;
mod ct_writer;
mod elements;

pub use ct_writer::{SyntheticPatient, WriteError, write_ct_series};
