//! Every range that the phantom draws from, in one place: widening one widens the domain.

use serde::{Deserialize, Serialize};

/// Uniform between two values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Least value.
    pub lo: f32,
    /// Greatest value.
    pub hi: f32,
}

/// Shorthand for a [`Range`].
pub const fn range(lo: f32, hi: f32) -> Range {
    Range { lo, hi }
}

/// What the generator draws from. Lengths in mm, densities in HU, angles in degrees, shares 0–1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ranges {
    /// The patient and the spine's course.
    pub patient: PatientRanges,
    /// One vertebra.
    pub vertebra: VertebraRanges,
    /// Changes that are no fractures, as chances per level (calcified aorta: per patient).
    pub confounder: ConfounderRanges,
    /// Fractures.
    pub fracture: FractureRanges,
    /// Soft tissue.
    pub tissue: TissueRanges,
    /// The scanner.
    pub acquisition: AcquisitionRanges,
}

macro_rules! ranges {
    ($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $lo:expr, $hi:expr;)+ }) => {
        $(#[$top])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$doc])* pub $field: Range,)+ }
        impl Default for $name {
            fn default() -> Self { Self { $($field: range($lo, $hi),)+ } }
        }
    };
}

ranges! {
    /// The patient. Sizes are those of L3; other levels follow by proportion.
    PatientRanges {
        /// Years; sets bone density and muscle fat.
        age: 25.0, 85.0;
        /// Half the body's width, left to right.
        half_width_mm: 20.5, 25.0;
        /// Half the body's depth, front to back.
        half_depth_mm: 15.5, 18.0;
        /// Height of the body.
        height_mm: 25.0, 29.5;
        /// Height of a lumbar disc.
        disc_mm: 7.0, 11.5;
        /// Depth of the lordosis over the field.
        lordosis_mm: 0.0, 18.0;
        /// Amplitude of a lateral curve.
        scoliosis_mm: 0.0, 6.0;
        /// Tilt of the whole spine, forward or backward (negative: the other way).
        tilt_deg: -10.0, 10.0;
        /// Difference of cancellous density from what the age predicts.
        density_offset_hu: -25.0, 25.0;
        /// Intrinsic density of cortical bone.
        cortex_hu: 750.0, 1250.0;
    }
}

ranges! {
    /// Shape of one vertebra.
    VertebraRanges {
        /// Relative size scatter between neighbours.
        scatter: 0.97, 1.03;
        /// Depth of each endplate's concavity as a share of the height.
        concavity: 0.02, 0.07;
        /// Narrowing at mid-height as a share of the half depth.
        waist: 0.03, 0.09;
        /// Natural anterior wedging as a share of the height.
        wedging: 0.0, 0.07;
        /// Thickness of the cortical shell of the body.
        shell_mm: 0.4, 1.0;
        /// Thickness of the cortex of the posterior elements.
        arch_cortex_mm: 0.9, 1.9;
        /// Turn about the long axis (negative: the other way).
        turn_deg: -4.0, 4.0;
        /// Relative strength of the trabecular texture.
        texture: 0.15, 0.24;
    }
}

ranges! {
    /// How often levels show something that is not a fracture (`lo` is the chance of the young,
    /// `hi` of the old).
    ConfounderRanges {
        /// Schmorl node.
        schmorl: 0.12, 0.18;
        /// Osteophytes.
        osteophyte: 0.05, 0.40;
        /// Visible basivertebral vein.
        basivertebral: 0.6, 0.6;
        /// Gas in a disc.
        vacuum: 0.01, 0.10;
        /// Calcified aorta.
        calcified_aorta: 0.02, 0.8;
    }
}

ranges! {
    /// Fractures.
    FractureRanges {
        /// Loss of height of the damaged part as a share of the height.
        loss: 0.22, 0.58;
        /// Share of a one-sided loss that the damaged plate takes.
        main_plate: 0.85, 1.0;
        /// Widening of a crushed body.
        bulge_mm: 0.8, 2.6;
        /// Roughness of a damaged plate.
        rough_mm: 0.3, 0.9;
        /// Step in the anterior wall.
        step_mm: 1.0, 3.0;
        /// Extra density of the impacted band.
        band_hu: 40.0, 220.0;
        /// Its depth under the plate.
        band_depth_mm: 2.0, 4.5;
        /// Its width (sigma).
        band_sigma_mm: 1.0, 2.0;
        /// How far a burst fragment is driven into the canal.
        retropulsion_mm: 3.0, 8.5;
        /// Widening of the interpedicular distance in a burst.
        widening_mm: 0.0, 4.0;
        /// Width of a fracture gap.
        gap_mm: 0.7, 2.5;
        /// What fills it.
        gap_hu: -40.0, 60.0;
        /// Displacement along a linear fracture.
        shift_mm: 0.0, 2.5;
        /// Chance that a fractured patient has a second fractured level (`lo` = `hi`).
        second: 0.3, 0.3;
    }
}

ranges! {
    /// Soft tissue.
    TissueRanges {
        /// Skeletal muscle.
        muscle_hu: 40.0, 65.0;
        /// Fat.
        fat_hu: -115.0, -85.0;
        /// Discs.
        disc_hu: 70.0, 110.0;
        /// Thecal sac.
        sac_hu: 15.0, 35.0;
        /// Unenhanced blood.
        blood_hu: 40.0, 70.0;
        /// Enhanced blood.
        enhanced_hu: 110.0, 230.0;
        /// Parenchyma of liver, spleen and kidneys.
        organ_hu: 30.0, 65.0;
        /// Thickness of the fat under the skin of the back.
        subcutaneous_mm: 8.0, 32.0;
    }
}

ranges! {
    /// The scanner.
    AcquisitionRanges {
        /// Pixel size in the slice.
        pixel_mm: 0.7, 0.9;
        /// Distance of slices.
        slice_mm: 0.8, 1.25;
        /// Sigma of the point spread in the slice.
        psf_mm: 0.35, 0.70;
        /// Full width of the slice profile.
        profile_mm: 0.8, 1.2;
        /// Deviation of the noise.
        noise_hu: 10.0, 45.0;
        /// Weight of the neighbouring pixel in the noise (its correlation).
        noise_kernel: 0.15, 0.5;
    }
}
