//! Every range that the phantom draws from, in one place: widening one widens the domain.

use serde::{Deserialize, Serialize};

/// Uniform between two values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(default, deny_unknown_fields)]
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
    /// Chest.
    pub chest: ChestRanges,
    /// The scanner.
    pub acquisition: AcquisitionRanges,
}

macro_rules! ranges {
    ($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $lo:expr, $hi:expr;)+ }) => {
        $(#[$top])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
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
        age: 22.0, 90.0;
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
        /// Depth of the kyphosis over the field, in the chest.
        kyphosis_mm: 4.0, 30.0;
        /// Amplitude of a lateral curve.
        scoliosis_mm: 0.0, 14.0;
        /// How far the spine may lie beside the middle of the field, either way, where it is not about
        /// the middle (`lo` is the chance of that, `hi` the distance).
        off_centre: 0.3, 45.0;
        /// Tilt of the whole spine, forward or backward (negative: the other way).
        tilt_deg: -10.0, 10.0;
        /// Difference of cancellous density from what the age predicts.
        density_offset_hu: -35.0, 30.0;
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
        concavity: 0.02, 0.09;
        /// Narrowing at mid-height as a share of the half depth.
        waist: 0.03, 0.09;
        /// Natural anterior wedging as a share of the height.
        wedging: 0.0, 0.09;
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
        osteophyte: 0.05, 0.55;
        /// A disc that lost height.
        narrow_disc: 0.03, 0.30;
        /// Dense bone under a plate.
        sclerosis: 0.02, 0.22;
        /// Swollen facet joints.
        arthrosis: 0.05, 0.60;
        /// Island of compact bone.
        island: 0.04, 0.07;
        /// Haemangioma.
        haemangioma: 0.03, 0.08;
        /// Cyst.
        cyst: 0.02, 0.05;
        /// Canal of a vessel beside the basivertebral vein (`lo` = `hi`).
        channel: 0.25, 0.25;
        /// Unfused corner, a growth variant (`lo` = `hi`).
        corner: 0.02, 0.02;
        /// Screws and rods, per patient.
        metal: 0.01, 0.07;
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
        /// Chance that a fractured patient has a second fractured level, and each further one up to the
        /// configuration's most (`lo` = `hi`).
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
        enhanced_hu: 110.0, 330.0;
        /// Parenchyma of liver, spleen and kidneys.
        organ_hu: 30.0, 65.0;
        /// Thickness of the fat under the skin of the back.
        subcutaneous_mm: 6.0, 38.0;
    }
}

ranges! {
    /// The chest. Sizes are those below the shoulders; it narrows towards the neck.
    ChestRanges {
        /// Half its width.
        half_width_mm: 105.0, 150.0;
        /// Half its depth.
        half_depth_mm: 72.0, 110.0;
        /// Lung.
        lung_hu: -900.0, -780.0;
    }
}

ranges! {
    /// The scanner.
    AcquisitionRanges {
        /// Pixel size in the slice.
        pixel_mm: 0.55, 0.98;
        /// Distance of slices; thin ones are drawn more often than thick ones.
        slice_mm: 0.6, 5.0;
        /// Sigma of the point spread in the slice.
        psf_mm: 0.30, 0.85;
        /// Full width of the slice profile.
        profile_mm: 0.8, 1.2;
        /// Deviation of the noise.
        noise_hu: 6.0, 60.0;
        /// Weight of the neighbouring pixel in the noise (its correlation).
        noise_kernel: 0.10, 0.60;
        /// Strength of the edge enhancement of a sharp kernel, where there is one.
        sharpen: 0.2, 0.9;
        /// Brightness of the middle over that of the rim of the field (cupping: negative).
        cupping_hu: -45.0, 25.0;
        /// Strength of streaks beside metal.
        streak_hu: 60.0, 300.0;
        /// Edge of the field across the patient, where none is given.
        across_mm: 150.0, 205.0;
        /// Edge of the field along the patient, where none is given.
        field_mm: 150.0, 205.0;
    }
}
