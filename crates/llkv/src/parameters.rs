//! Values for the parameters of a statement.

use llkv_types::Scalar;

/// What a statement's parameters can be given as: a slice or an array of [`Scalar`]s, or a tuple of Rust
/// values, `()` for none.
pub trait Parameters {
    /// Calls `f` with the values in their order.
    fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T;
}

impl Parameters for &[Scalar] {
    fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T {
        f(self)
    }
}

impl<const N: usize> Parameters for &[Scalar; N] {
    fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T {
        f(self)
    }
}

impl Parameters for &Vec<Scalar> {
    fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T {
        f(self)
    }
}

impl Parameters for () {
    fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T {
        f(&[])
    }
}

macro_rules! tuples {
    ($(($($Value:ident $value:ident),+))+) => {
        $(impl<$($Value: Into<Scalar>),+> Parameters for ($($Value,)+) {
            fn with<T>(self, f: impl FnOnce(&[Scalar]) -> T) -> T {
                let ($($value,)+) = self;
                f(&[$($value.into()),+])
            }
        })+
    };
}

tuples! {
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F g)
    (A a, B b, C c, D d, E e, F g, G h)
    (A a, B b, C c, D d, E e, F g, G h, H i)
}
