//! The voxel types that ITK and Rust share.

/// A voxel type that crosses to ITK. Sealed: a wrong code would let C++ write past a buffer.
pub trait Pixel: Copy + Default + PartialEq + Send + Sync + sealed::Code {
    /// The value as a double; exact for all these types.
    fn to_f64(self) -> f64;
}

pub(super) mod sealed {
    /// The shim's number for the type.
    pub trait Code {
        /// One of `itk_sys::U8` and so on.
        const CODE: i32;
    }
}

macro_rules! pixels {
    ($($type:ty = $code:ident),*) => {$(
        impl sealed::Code for $type {
            const CODE: i32 = itk_sys::$code;
        }
        impl Pixel for $type {
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

pixels!(u8 = U8, i8 = I8, u16 = U16, i16 = I16, u32 = U32, i32 = I32, f32 = F32, f64 = F64);
