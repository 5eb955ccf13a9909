//! What every message that is signed must declare.

use super::domain::DomainRule;
use super::network::Preset;
use super::primitives::{DomainType, Root};
use super::slashable::SlashableMessage;
use super::slot_clock::DutyTime;

/// A message that a validator signs. Nothing here has a default: a new message compiles only when its
/// domain, its epoch and its slashing class are decided.
pub(super) trait Signable {
    /// States what the signing root and slashing protection depend on.
    fn signing_facts(&self) -> SigningFacts;
}

/// What the signing root and slashing protection of a message depend on.
pub(super) struct SigningFacts {
    /// The name of the container, for error messages.
    pub(super) container: &'static str,
    /// The hash tree root of the message.
    pub(super) root: Root,
    /// What the signature is for.
    pub(super) domain_type: DomainType,
    /// The fork and the chain that the signature holds on.
    pub(super) domain_rule: DomainRule,
    /// When the message is to be signed.
    pub(super) duty_time: DutyTime,
    /// The message as slashing protection sees it; `None` when two such messages slash nobody.
    pub(super) slashable: Option<SlashableMessage>,
    /// The preset, where the length of a field shows it.
    pub(super) shown_preset: Option<ShownPreset>,
}

/// A preset that the length of a field shows.
pub(super) struct ShownPreset {
    pub(super) preset: Preset,
    /// The path of the field within the message.
    pub(super) field: &'static str,
}
