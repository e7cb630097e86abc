//! Resolving the offset table from BTF.

use sensor_common::offset::{ABSENT, Offsets, Spec};

use super::ProbeError;
use crate::btf::Btf;

/// Replaces an offset found in BTF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Name of the offset, a field of [`Offsets`].
    pub name: String,
    /// Bytes.
    pub value: u64,
}

/// Finds every offset; a missing required one is an error that names it.
pub(super) fn resolve(btf: &Btf<'_>, overrides: &[Override]) -> Result<Offsets, ProbeError> {
    if let Some(unknown) = overrides
        .iter()
        .find(|wanted| !Offsets::SPECS.iter().any(|spec| spec.name == wanted.name))
    {
        return Err(ProbeError::Override(unknown.name.clone()));
    }
    let mut missing: Option<&'static Spec> = None;
    let offsets = Offsets::from_fn(|spec| {
        if let Some(wanted) = overrides.iter().find(|wanted| wanted.name == spec.name) {
            return wanted.value;
        }
        btf.member_offset(spec.structure, spec.member)
            .unwrap_or_else(|| {
                if spec.required && missing.is_none() {
                    missing = Some(spec);
                }
                ABSENT
            })
    });
    // The path walk reads both at once.
    if offsets.dentry_name != offsets.dentry_parent.wrapping_add(8) {
        missing = missing.or(Offsets::SPECS
            .iter()
            .find(|spec| spec.name == "dentry_name"));
    }
    match missing {
        None => Ok(offsets),
        Some(spec) => Err(ProbeError::Member {
            name: spec.name,
            structure: spec.structure,
            member: spec.member,
        }),
    }
}

/// Members this kernel lacks, as `struct.member`.
pub(super) fn absent(btf: &Btf<'_>) -> Vec<String> {
    Offsets::SPECS
        .iter()
        .filter(|spec| btf.member_offset(spec.structure, spec.member).is_none())
        .map(|spec| format!("{}.{}", spec.structure, spec.member))
        .collect()
}
