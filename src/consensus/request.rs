//! The body of a sign request: JSON in, a message and its signing root out.

use std::fmt;
use std::marker::PhantomData;

use serde::de::IgnoredAny;

use super::block::ForkInfo;
use super::container::objects;
use super::document::{Document, ELEMENTS_MAX};
use super::duty::{self, Duty, Facts, GenesisDuty};
use super::forms::{DomainName, ENVELOPE_ELEMENTS_MAX, Kind, Read, Reader};
use super::network::{Network, Networks, Preset};
use super::primitives::{DomainType, Epoch, Root, Version};
use super::root;
use super::slashable::Slashable;

/// A request that is complete and well-formed.
pub struct SignRequest {
    kind: &'static str,
    /// The roots that the client says it wants signed, under each spelling.
    claims: [(&'static str, Option<Root>); 2],
    subject: Subject,
}

enum Subject {
    Forked {
        duty: Duty,
        fork_info: ForkInfo,
        preset: Preset,
    },
    Genesis(GenesisDuty),
    Raw {
        root: Root,
        domain: Option<DomainType>,
    },
}

/// Why a request cannot be signed: status 400 in each case.
#[derive(Debug)]
pub enum RequestError {
    /// The body is no JSON object, or nests too deep.
    Json(String),
    /// A field is missing, there twice, or has a value that cannot be.
    Field {
        /// The way to the field, joined by dots.
        path: String,
        /// What was expected and found.
        reason: String,
    },
    /// The client and this program disagree about what is to be signed.
    Mismatch {
        /// How the client spelled the field.
        field: &'static str,
        /// What it sent.
        claimed: Root,
        /// The root of what it asked to sign.
        computed: Root,
        /// What decided the computed root.
        facts: String,
    },
}

objects! {
    /// What is read first.
    Head {
        r#type: Option<&'static Kind> = None, signingRoot: Option<Root> = None, signing_root: Option<Root> = None
    }

    /// What else is read when there is no type.
    RawForm {
        fork_info: Option<IgnoredAny> = None, domain: Option<DomainType> = None,
        domain_name: Option<DomainName> = None
    }
}

/// A signing root and what it was made of.
struct Computed<'n> {
    facts: Facts,
    version: Version,
    genesis_validators_root: Root,
    epoch: Option<Epoch>,
    network: &'n Network,
}

impl SignRequest {
    /// Reads a body; unescapes its strings in place.
    ///
    /// # Errors
    /// When it is no JSON, or not the whole of a message of a known type.
    pub fn parse(body: &mut [u8], networks: &Networks) -> Result<Self, RequestError> {
        let document = &mut Document::open(body, ENVELOPE_ELEMENTS_MAX)?;
        let head = document.read(PhantomData::<Head>)?;
        let claims = [
            ("signingRoot", head.signingRoot),
            ("signing_root", head.signing_root),
        ];
        let Some(kind) = head.r#type else {
            document.check_elements("a request without a type", ELEMENTS_MAX)?;
            let subject = raw(document, head.signingRoot.or(head.signing_root))?;
            return Ok(Self {
                kind: "RAW",
                claims,
                subject,
            });
        };
        document.check_elements(kind.names[0], kind.elements_max)?;
        let mut reader = Reader {
            document,
            networks,
            keys: kind.keys,
        };
        let subject = match kind.read {
            Read::Genesis(read) => Subject::Genesis(read(&mut reader)?),
            Read::Forked(read) => {
                let fork_info = reader.fork_info()?;
                let (duty, seen) = read(&mut reader, &fork_info)?;
                let preset = reader.preset(&fork_info, seen)?;
                Subject::Forked {
                    duty,
                    fork_info,
                    preset,
                }
            }
        };
        Ok(Self {
            kind: kind.names[0],
            claims,
            subject,
        })
    }

    /// The type of the message, as the specification spells it, or `RAW`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The root to sign. `networks` are those that the request was parsed with; the time is Unix's, in
    /// seconds.
    ///
    /// Clients make up a fork for an exit, each another one, and send the root of the domain in which it
    /// is valid now: that root is signed, too.
    ///
    /// # Errors
    /// When the client sent another root.
    pub fn signing_root(
        &self,
        networks: &Networks,
        now_seconds: u64,
    ) -> Result<Root, RequestError> {
        let computed = match &self.subject {
            Subject::Raw { root, .. } => {
                return self.compare(*root, || "a request without a type".to_owned());
            }
            Subject::Genesis(duty) => Computed::for_all_forks(duty, networks.chosen()),
            Subject::Forked {
                duty,
                fork_info,
                preset,
            } => {
                let network = networks.of(fork_info.fork.current_version);
                let network = network.unwrap_or_else(|| Network::unknown(*preset));
                let mut computed = Computed::for_fork(duty, fork_info, network);
                let by_fork_info = computed.version;
                if let Some(version) = root::exit_version_now(duty, fork_info, network, now_seconds)
                {
                    computed.version = version;
                    if !self.claims_only(computed.root()) {
                        computed.version = by_fork_info;
                    }
                }
                computed
            }
        };
        self.compare(computed.root(), || format!("{} {computed}", self.kind))
    }

    /// Whether the client sent this root, and no other.
    fn claims_only(&self, root: Root) -> bool {
        let mut claims = self
            .claims
            .iter()
            .filter_map(|(_, claim)| *claim)
            .peekable();
        claims.peek().is_some() && claims.all(|claim| claim == root)
    }

    /// What slashing protection must know of the message.
    pub fn slashable(&self) -> Slashable {
        match &self.subject {
            Subject::Forked {
                duty, fork_info, ..
            } => duty.slashable(fork_info.genesis_validators_root),
            Subject::Genesis(_) => Slashable::Never,
            Subject::Raw { domain, .. } => duty::slashable_raw(*domain),
        }
    }

    fn compare(&self, computed: Root, facts: impl Fn() -> String) -> Result<Root, RequestError> {
        for (field, claim) in self.claims {
            if let Some(claimed) = claim.filter(|claimed| *claimed != computed) {
                return Err(RequestError::Mismatch {
                    field,
                    claimed,
                    computed,
                    facts: facts(),
                });
            }
        }
        Ok(computed)
    }
}

/// The form of py3signer: a root, and at best the name or the value of its domain.
fn raw(document: &mut Document<'_>, root: Option<Root>) -> Result<Subject, RequestError> {
    let form = document.read(PhantomData::<RawForm>)?;
    let missing = |path: &str, reason: &str| {
        Err(RequestError::Field {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let Some(root) = root.filter(|_| form.fork_info.is_none()) else {
        return missing(
            "type",
            "missing; only a bare signingRoot, without fork_info, goes without a type",
        );
    };
    let named = form.domain_name.map(|DomainName(domain)| domain);
    match (form.domain, named) {
        (Some(domain), Some(named)) if domain != named => {
            missing("domain_name", "contradicts domain")
        }
        (domain, named) => Ok(Subject::Raw {
            root,
            domain: domain.or(named),
        }),
    }
}

impl<'n> Computed<'n> {
    fn for_fork(duty: &Duty, fork_info: &ForkInfo, network: &'n Network) -> Self {
        let (facts, moment) = duty.facts();
        let epoch = root::epoch(moment, network);
        let version = root::version(duty, epoch, fork_info, network);
        let genesis_validators_root = fork_info.genesis_validators_root;
        Self {
            facts,
            version,
            genesis_validators_root,
            epoch: Some(epoch),
            network,
        }
    }

    fn for_all_forks(duty: &GenesisDuty, network: &'n Network) -> Self {
        let (facts, version) = duty.facts();
        let version = version.unwrap_or_else(|| network.genesis_version());
        Self {
            facts,
            version,
            genesis_validators_root: Root::ZERO,
            epoch: None,
            network,
        }
    }

    fn root(&self) -> Root {
        let domain = root::domain(
            self.facts.domain_type,
            self.version,
            self.genesis_validators_root,
        );
        root::signing_root(self.facts.root, domain)
    }
}

impl fmt::Display for Computed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts {
            container,
            domain_type,
            root,
        } = &self.facts;
        write!(
            f,
            "as {container} with root {root}, domain type {domain_type}, version {}",
            self.version
        )?;
        if let Some(epoch) = self.epoch {
            write!(f, " of epoch {epoch}")?;
        }
        write!(
            f,
            ", genesis_validators_root {}, network {}",
            self.genesis_validators_root, self.network.name
        )?;
        match self.network.genesis_validators_root {
            Some(root) if self.epoch.is_some() && root != self.genesis_validators_root => {
                write!(
                    f,
                    ", whose genesis_validators_root is {root} (see --network)"
                )
            }
            Some(_) | None => f.write_str(" (see --network)"),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(reason) => write!(f, "the body is no JSON object: {reason}"),
            // The document itself has no name.
            Self::Field { path, reason } if path.is_empty() => f.write_str(reason),
            Self::Field { path, reason } => write!(f, "{path}: {reason}"),
            Self::Mismatch {
                field,
                claimed,
                computed,
                facts,
            } => {
                write!(
                    f,
                    "{field}: got {claimed}, but the request has {computed}: {facts}"
                )
            }
        }
    }
}

impl std::error::Error for RequestError {}
