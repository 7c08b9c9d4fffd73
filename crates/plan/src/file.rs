//! The shape of the TOML files: text -> tree -> tables. No meaning yet: that is `build`.

pub(crate) mod expand;
pub(crate) mod leaf;
pub(crate) mod merge;
pub(crate) mod shape;
pub(crate) mod tree;
pub(crate) mod v1;
