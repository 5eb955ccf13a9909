//! The lines of the audit log.

use jiff::Timestamp;
use serde::Serialize;

use crate::consensus::primitives::{Epoch, PublicKey, Root};
use crate::consensus::slashable::{Slashable, SlashableMessage};
use crate::http::request::Request;

/// A signature that is about to leave. Numbers are texts, as in the requests: many readers of JSON keep 53
/// bits of a number.
#[derive(Serialize)]
struct AuditLine<'s> {
    /// RFC 3339.
    time: String,
    key: String,
    #[serde(rename = "type")]
    type_name: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_root: Option<String>,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'s str>,
}

/// What was signed.
pub(super) struct AuditedMessage {
    pub(super) key: PublicKey,
    pub(super) type_name: &'static str,
    pub(super) slashable: Slashable,
    pub(super) epoch: Option<Epoch>,
    /// `None` for a text that is not a consensus message.
    pub(super) signing_root: Option<Root>,
}

impl AuditedMessage {
    /// Returns the line, with its newline.
    pub(super) fn line(&self, request: &Request) -> Vec<u8> {
        let mut slot = None;
        let mut source_epoch = None;
        let mut target_epoch = None;
        let mut epoch = None;
        match self.slashable {
            Slashable::On(_, SlashableMessage::Block(at)) => slot = Some(at.to_string()),
            Slashable::On(_, SlashableMessage::Vote(source, target)) => {
                source_epoch = Some(source.to_string());
                target_epoch = Some(target.to_string());
            }
            Slashable::Never | Slashable::Opaque => {
                epoch = self.epoch.map(|epoch| epoch.to_string());
            }
        }
        let line = AuditLine {
            time: format!("{:.6}", Timestamp::now()),
            key: self.key.to_string(),
            type_name: self.type_name,
            slot,
            source_epoch,
            target_epoch,
            epoch,
            signing_root: self.signing_root.map(|root| root.to_string()),
            client: request.client.to_string(),
            certificate: request.client.certificate.as_deref(),
            request_id: request.request_id(),
            trace_id: request.trace_parent().map(|trace| trace.trace_id()),
        };
        let mut bytes = serde_json::to_vec(&line).expect("texts are written as JSON");
        bytes.push(b'\n');
        bytes
    }
}
