//! The one table from a refused request to its HTTP answer.
//!
//! Every error body is `{"code":<status>,"message":"…"}`: Lodestar, SSV and eth-docker show the message to
//! their users. It never holds a secret, nor a field `signature`.

use std::fmt;

use crate::consensus::primitives::PublicKey;
use crate::consensus::request::RequestError;
use crate::hex;
use crate::http::response::Response;
use crate::metrics::Metrics;
use crate::slashing::Refused;
use crate::status::RecentActivity;

/// Why a request is refused: one variant for each decision that the client must take.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400: the body does not have what its type requires, or its signing root differs.
    Request(RequestError),
    /// 400: the body of another route is malformed. Names the field and what was expected.
    Malformed(String),
    /// 401: a token is needed and none was sent. Holds the options and files of those that open the route.
    NoToken(String),
    /// 403: the token that was sent does not open this route. Holds the same.
    WrongToken(String),
    /// 403: the route needs a token, and none is configured.
    TokenNotConfigured,
    /// 403: the `Host` is not in the list of this option (DNS rebinding).
    Host { host: String, option: &'static str },
    /// 403: the web page that asks is not allowed.
    Origin(String),
    /// 404: the identifier is not a public key, or no such key is loaded.
    UnknownKey(String),
    /// 404: this path does not exist.
    UnknownPath(String),
    /// 404: this path does not exist as signerd was started. Says why.
    FeatureOff(&'static str),
    /// 405, with the methods that the path has.
    Method(String),
    /// 412 when the message is slashable, 503 when the store cannot decide.
    Slashing(Refused),
    /// 503: the first load has not ended.
    Loading,
    /// 503: keys are still being decrypted, and this may be one of them.
    KeyPending(PublicKey),
    /// 503: too many signatures, imports or deletions are waiting.
    Overloaded,
    /// 500: a bug of ours.
    Internal(&'static str),
}

impl Refusal {
    /// Returns the status of the answer.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Request(_) | Self::Malformed(_) => 400,
            Self::NoToken(_) => 401,
            Self::WrongToken(_) | Self::TokenNotConfigured => 403,
            Self::Host { .. } | Self::Origin(_) => 403,
            Self::UnknownKey(_) | Self::UnknownPath(_) | Self::FeatureOff(_) => 404,
            Self::Method(_) => 405,
            Self::Slashing(Refused::Unavailable(_)) => 503,
            Self::Loading | Self::KeyPending(_) | Self::Overloaded => 503,
            Self::Slashing(_) => 412,
            Self::Internal(_) => 500,
        }
    }

    /// Returns a word for the label `error_type` of the metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::Malformed(_) => "malformed",
            Self::NoToken(_) | Self::WrongToken(_) | Self::TokenNotConfigured => "unauthorized",
            Self::Host { .. } | Self::Origin(_) => "forbidden",
            Self::UnknownKey(_) => "unknown_key",
            Self::UnknownPath(_) | Self::FeatureOff(_) | Self::Method(_) => "unknown_route",
            Self::Slashing(Refused::Unavailable(_)) => "protection_unavailable",
            Self::Slashing(_) => "slashing_protection",
            Self::Loading => "loading",
            Self::KeyPending(_) => "key_pending",
            Self::Overloaded => "overloaded",
            Self::Internal(_) => "internal",
        }
    }

    /// Counts it, by reason and by the rule of slashing protection or the fault of the token.
    pub(super) fn count(&self, metrics: &Metrics, activity: &RecentActivity) {
        metrics.refused(self.kind());
        activity.refused(self.kind());
        match self {
            Self::Slashing(refused) => {
                metrics.prevented(refused.rule_name());
                activity.prevented(refused.rule_name());
            }
            Self::NoToken(_) => metrics.token_refused("missing"),
            Self::WrongToken(_) => metrics.token_refused("wrong"),
            Self::TokenNotConfigured => metrics.token_refused("not_configured"),
            Self::Request(_) | Self::Malformed(_) | Self::Host { .. } | Self::Origin(_) => {}
            Self::UnknownKey(_) | Self::UnknownPath(_) | Self::FeatureOff(_) => {}
            Self::Method(_) | Self::Loading | Self::KeyPending(_) => {}
            Self::Overloaded | Self::Internal(_) => {}
        }
    }

    /// Whether slashing protection has refused a message.
    pub(super) fn is_slashing(&self) -> bool {
        matches!(self, Self::Slashing(refused) if !matches!(refused, Refused::Unavailable(_)))
    }

    /// Returns after how many seconds the client should ask again.
    fn retry_after_seconds(&self) -> Option<&'static str> {
        match self {
            Self::KeyPending(_) => Some("5"),
            Self::Loading | Self::Overloaded | Self::Slashing(Refused::Unavailable(_)) => Some("1"),
            Self::Request(_) | Self::Malformed(_) => None,
            Self::NoToken(_) | Self::WrongToken(_) | Self::TokenNotConfigured => None,
            Self::Host { .. } | Self::Origin(_) | Self::UnknownKey(_) => None,
            Self::UnknownPath(_) | Self::FeatureOff(_) | Self::Method(_) => None,
            Self::Slashing(_) | Self::Internal(_) => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Malformed(message) => f.write_str(message),
            Self::NoToken(origins) => write!(
                f,
                "this route needs the token of {origins}: send `Authorization: Bearer <token>`"
            ),
            Self::WrongToken(origins) => {
                write!(f, "wrong token: this route needs the token of {origins}")
            }
            Self::TokenNotConfigured => f.write_str(
                "this route needs a token off loopback, and none is configured: start signerd with \
                 --auth-token-file or --keymanager-token-file, or choose another --keymanager-auth",
            ),
            Self::Host { host, option } => write!(
                f,
                "Host not authorized: {:?} is not in {option} (`*` allows every host)",
                hex::shorten(host)
            ),
            Self::Origin(origin) => write!(
                f,
                "origin {:?} is not in --http-cors-origins",
                hex::shorten(origin)
            ),
            Self::UnknownKey(key) => {
                let reason = if key.parse::<PublicKey>().is_ok() {
                    "is not loaded (GET /api/v1/eth2/publicKeys lists the keys)"
                } else {
                    "is not a public key, which has 0x and 96 hex digits"
                };
                write!(f, "public key not found: {:?} {reason}", hex::shorten(key))
            }
            Self::UnknownPath(path) => write!(f, "no such path: {:?}", hex::shorten(path)),
            Self::FeatureOff(reason) => f.write_str(reason),
            Self::Method(methods) => write!(f, "method not allowed: this path has {methods}"),
            Self::Slashing(refused) => refused.fmt(f),
            Self::Loading => f.write_str("keystores are still being decrypted, try again"),
            Self::KeyPending(key) => write!(
                f,
                "{key} is not loaded yet: keystores are still being decrypted, try again"
            ),
            Self::Overloaded => f.write_str("too many requests are waiting, try again"),
            Self::Internal(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Slashing(refused)
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let mut response = Self::error(refusal.status(), &refusal.to_string());
        if let Some(seconds) = refusal.retry_after_seconds() {
            response = response.with("Retry-After", seconds);
        }
        if let Refusal::NoToken(_) = refusal {
            response = response.with("WWW-Authenticate", "Bearer, Basic realm=\"signerd\"");
        }
        if let Refusal::Method(methods) = refusal {
            response = response.with("Allow", methods);
        }
        response
    }
}
