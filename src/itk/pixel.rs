//! The voxel types that ITK and Rust share.

/// A voxel type that ITK's filters and writers are compiled for. Sealed: a wrong code would let C++
/// write past a buffer.
pub trait Pixel: sealed::Stored + PartialEq {}

pub(super) mod sealed {
    /// A voxel type that files may hold.
    pub trait Stored: Copy + Default + Send + Sync {
        /// The shim's number for the type: one of `itk_sys::U8` and so on.
        const CODE: i32;
        /// The value as a double; exact for all these types.
        fn to_f64(self) -> f64;
    }
}

macro_rules! stored {
    ($($type:ty = $code:ident),*) => {$(
        impl sealed::Stored for $type {
            const CODE: i32 = itk_sys::$code;
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

stored!(u8 = U8, i8 = I8, u16 = U16, i16 = I16, u32 = U32, i32 = I32, f32 = F32, f64 = F64);

macro_rules! pixels {
    ($($type:ty),*) => {$(
        impl Pixel for $type {}
    )*};
}

pixels!(u8, u16, i16, u32, i32, f32);
