//! Spine-fracture masks on CT, by the multi-scale feature-fusion network (MSFF), served over the
//! segmentation-plugin protocol.
//!
//! Data flows one way:
//!
//! ```text
//! request → service → worker → pipeline: dicom → preprocess → infer → postprocess → dicom → service → answer
//! ```
//!
//! `ARCHITECTURE.md` has the map and who may import whom; `tests/architecture.rs` holds the code to it.

pub mod cli;
pub mod column;
pub mod dicom;
pub mod evaluate;
pub mod infer;
pub mod itk;
pub mod monitor;
pub mod network;
pub mod overlay;
pub mod pipeline;
pub mod plane;
pub mod postprocess;
pub mod preprocess;
pub mod service;
pub mod train;
pub mod volume;
pub mod watch;
pub mod worker;
