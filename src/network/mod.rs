//! Networks: one CT slice in, one logit per pixel out. [`Architecture`] chooses one; the paper's is the
//! multi-scale feature-fusion network (MSFF), and `baselines` holds those that it is compared with.
//!
//! | stage | file | from → to (width w, slice H×W) |
//! |---|---|---|
//! | U-Net contracting path | `encoder` | 1×H×W → 2w/2, 4w/4, 8w/8, 16w/16 |
//! | feature fusion (FFM) | `ffm` | four maps → the same four, each fused with the others |
//! | squeeze and excitation (SEM) | `sem` | channel gates, shapes kept |
//! | reduce | `msff` | each → w channels at H×W |
//! | ASPP | `aspp` | 4w×H×W → w×H×W |
//! | RCBAM, RBRAB, LPRAB | `rcbam`, `rbrab`, `lprab` | w×H×W kept |
//! | ENet-style decoder | `decoder` | w×H×W → 1×H×W logits |
//!
//! Parameter names are those of the equal PyTorch model (`tests/network/*.py`), so a checkpoint
//! loads there by `load_state_dict`. `weights` reads and writes them as safetensors.

mod architecture;
mod aspp;
mod baselines;
mod blocks;
mod config;
mod decoder;
mod encoder;
mod ffm;
mod lprab;
mod msff;
mod rbrab;
mod rcbam;
mod sem;
mod weights;

pub use architecture::{Architecture, Network, PROPOSED, SIZE_MULTIPLE, ablations, baselines};
pub use baselines::{BaseWidth, DeepLab, Discriminator, Fcn8s, SegNet, SpineGan, UNet, UNetPlusPlus};
pub use config::{AsppInput, Module, MsffConfig, NetworkError, is_default};
pub use msff::Msff;
pub use weights::{
    StoredAs, WeightsError, load_weights, parameter_count, prefer_channels_last, replace_file, save_tensors,
    save_weights, share_weights, start_from, to_bfloat16,
};
