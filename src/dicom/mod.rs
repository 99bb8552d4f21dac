//! DICOM in and out: CT instances → a volume in HU, a mask → a Segmentation object.
//!
//! This is the only module that knows the dicom-* crates. Nothing read from a file is trusted before it
//! was checked: lengths against the bytes at hand, sizes against [`Limits`], frames against their
//! codestream. No error, note or `Debug` output holds a patient's name, identifier or date.

mod attributes;
mod codes;
mod codestream;
mod ct_writer;
mod elements;
mod error;
mod folder;
mod frames;
mod geometry;
mod identity;
mod instance;
mod limits;
mod multiframe;
mod part10;
mod resample;
mod seg;
mod seg_frames;
mod seg_reader;
mod seg_type;
mod seg_uids;
mod series;
mod source;
mod stack;
mod survey;
pub mod web;
mod zip;

pub use ct_writer::{SyntheticPatient, WriteError, write_ct_series};
pub use error::ReadError;
pub use folder::{PathInstances, instances_of_path, read_path};
pub use limits::{Limits, ReadOptions};
pub use seg::{Algorithm, SegError, write_segmentation};
pub use seg_reader::{SegReadError, Segmentation};
pub use series::{Series, SeriesReader};
pub use source::{SourceFrame, SourceSeries};
pub use stack::Stack;
pub use survey::{Survey, survey};
