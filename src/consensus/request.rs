//! The body of a sign request: from JSON to the signing root of a message.

use std::fmt;
use std::time::Duration;

use super::block::ForkInfo;
use super::domain::{self, DomainRule, ForkMoment};
use super::forms::FormContext;
use super::json_body;
use super::json_tree::{FieldError, FromJson, JsonTree, JsonValue, read_field};
use super::messages::{ELEMENTS_MAX, ENVELOPE_ELEMENTS_MAX, MessageType};
use super::network::{Fork, Network, Preset};
use super::networks::Networks;

use super::primitives::{DomainType, Epoch, Root, Version, wrong};
use super::signable::{ShownPreset, SigningFacts};
use super::slashable::Slashable;

/// A request that is complete and well-formed.
pub struct SignRequest {
    type_name: &'static str,
    /// The roots that the client expects to be signed, under each spelling of the field.
    claims: ClaimedRoots,
    subject: SignSubject,
}

/// What is signed.
enum SignSubject {
    /// A message that belongs to a fork.
    Forked {
        facts: SigningFacts,
        moment: ForkMoment,
        fork_info: ForkInfo,
        preset: Preset,
    },
    /// A message that holds across forks; the version is the one that it names.
    Genesis {
        facts: SigningFacts,
        version: Option<Version>,
    },
    /// A root whose message is not shown.
    BareRoot(Root),
}

/// Roots that a client expects to be signed, with the names of the fields.
type ClaimedRoots = [(&'static str, Option<Root>); 2];

/// Why a request cannot be signed: status 400 in each case.
#[derive(Debug)]
pub enum RequestError {
    /// The body is not a JSON object, or is nested too deep.
    Json(String),
    /// A field is missing, there twice, or has an impossible value.
    Field {
        /// The path to the field, joined by dots.
        path: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// The client and this program disagree about what is to be signed.
    Mismatch {
        /// The client's name of the field.
        field: &'static str,
        /// The root that the client sent.
        claimed: Root,
        /// The root of what it asked to sign.
        computed: Root,
        /// What decided the computed root.
        facts: String,
    },
}

impl SignRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not JSON, or not the whole message of a known type.
    pub fn parse(body: &[u8], networks: &Networks) -> Result<Self, RequestError> {
        let mut scratch = Vec::new();
        let tree = json_body::parse(body, &mut scratch, ENVELOPE_ELEMENTS_MAX)
            .map_err(RequestError::Json)?;
        let root = tree.root();
        let claims = [
            ("signingRoot", read_optional(root, "signingRoot")?),
            ("signing_root", read_optional(root, "signing_root")?),
        ];
        let Some(message_type) = root.field("type")? else {
            check_elements(&tree, "a request without a type", ELEMENTS_MAX)?;
            return Ok(Self {
                type_name: "RAW",
                claims,
                subject: SignSubject::BareRoot(read_bare_root(root, claims)?),
            });
        };
        let message_type = message_type
            .read_text(MessageType::named)
            .map_err(|error| error.at("type"))?;
        let type_name = message_type.names[0];
        check_elements(&tree, type_name, message_type.elements_max)?;
        Ok(Self {
            type_name,
            claims,
            subject: read_subject(root, message_type, networks)?,
        })
    }

    /// Returns the type of the message, as the specification spells it, or `RAW`.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Computes the root to sign. `networks` are those that the request was parsed with; the time is
    /// Unix time.
    ///
    /// The forks that clients make up for an exit differ, and so do the roots that they send. If a
    /// client sends the root of the domain in which the exit is valid now, that root is returned.
    ///
    /// # Errors
    /// When the client sent another root.
    pub fn signing_root(
        &self,
        networks: &Networks,
        now_seconds: u64,
    ) -> Result<Root, RequestError> {
        match &self.subject {
            SignSubject::BareRoot(root) => {
                self.check_claims(*root, || "a request without a type".to_owned())
            }
            SignSubject::Genesis { facts, version } => {
                let network = networks.for_all_forks();
                let domain = MessageDomain {
                    version: version.unwrap_or_else(|| network.genesis_version()),
                    genesis_validators_root: Root::ZERO,
                    epoch: None,
                    network,
                };
                self.check_message_claims(facts, &domain)
            }
            SignSubject::Forked {
                facts,
                moment,
                fork_info,
                preset,
            } => {
                let network = networks
                    .of(fork_info.fork.current_version)
                    .unwrap_or_else(|| Network::unknown(*preset));
                let mut domain = MessageDomain {
                    version: moment.version(fork_info, network),
                    genesis_validators_root: fork_info.genesis_validators_root,
                    epoch: Some(moment.epoch(network)),
                    network,
                };
                if let Some(version) = moment.exit_version_now(fork_info, network, now_seconds) {
                    let now = MessageDomain { version, ..domain };
                    if self.claims_only(now.signing_root(facts)) {
                        domain = now;
                    }
                }
                let root = self.check_message_claims(facts, &domain)?;
                networks.note(network, fork_info.genesis_validators_root);
                Ok(root)
            }
        }
    }

    /// Returns a warning for the operator about the network that was assumed for this message, when
    /// there is something new to say.
    pub(crate) fn network_warning(&self, networks: &Networks) -> Option<String> {
        match &self.subject {
            SignSubject::Genesis { version: None, .. } => networks.warning(self.type_name),
            SignSubject::Genesis { .. } | SignSubject::Forked { .. } | SignSubject::BareRoot(_) => {
                None
            }
        }
    }

    /// Returns the epoch that the message is for; `None` when it holds at all times.
    pub(crate) fn epoch(&self, networks: &Networks) -> Option<Epoch> {
        let SignSubject::Forked {
            moment,
            fork_info,
            preset,
            ..
        } = &self.subject
        else {
            return None;
        };
        let network = networks
            .of(fork_info.fork.current_version)
            .unwrap_or_else(|| Network::unknown(*preset));
        Some(moment.epoch(network))
    }

    /// Returns how long after its time the message is asked for, zero when it is early. `asked_at` is Unix
    /// time. `None` when the message has no time, when the genesis time of its network is not known, or
    /// when its slot is far from the present.
    pub(crate) fn lateness(&self, networks: &Networks, asked_at: Duration) -> Option<Duration> {
        let SignSubject::Forked {
            facts,
            moment,
            fork_info,
            ..
        } = &self.subject
        else {
            return None;
        };
        let network = networks.of(fork_info.fork.current_version)?;
        let root = fork_info.genesis_validators_root;
        if network
            .genesis_validators_root
            .is_some_and(|its_root| its_root != root)
        {
            return None;
        }
        let is_gloas = network.has(Fork::Gloas, moment.epoch(network));
        network
            .slot_times()?
            .lateness(facts.duty_time, is_gloas, asked_at)
    }

    /// Returns what slashing protection must know of the message.
    pub fn slashable(&self) -> Slashable {
        let (facts, genesis_validators_root) = match &self.subject {
            SignSubject::Forked {
                facts, fork_info, ..
            } => (facts, fork_info.genesis_validators_root),
            SignSubject::Genesis { facts, .. } => (facts, Root::ZERO),
            SignSubject::BareRoot(_) => return Slashable::Opaque,
        };
        match facts.slashable {
            Some(message) => Slashable::On(genesis_validators_root, message),
            None => Slashable::Never,
        }
    }

    /// Whether the client sent this root, and no other.
    fn claims_only(&self, root: Root) -> bool {
        let [(_, first), (_, second)] = self.claims;
        match (first, second) {
            (Some(first), Some(second)) => first == root && second == root,
            (Some(only), None) | (None, Some(only)) => only == root,
            (None, None) => false,
        }
    }

    fn check_message_claims(
        &self,
        facts: &SigningFacts,
        domain: &MessageDomain<'_>,
    ) -> Result<Root, RequestError> {
        self.check_claims(domain.signing_root(facts), || {
            format!("{} {}", self.type_name, domain.describe(facts))
        })
    }

    fn check_claims(
        &self,
        computed: Root,
        facts: impl FnOnce() -> String,
    ) -> Result<Root, RequestError> {
        for (field, claim) in self.claims {
            if let Some(claimed) = claim
                && claimed != computed
            {
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

/// Reads the message of a request, and the fork that it belongs to.
fn read_subject(
    root: JsonValue<'_>,
    message_type: &MessageType,
    networks: &Networks,
) -> Result<SignSubject, RequestError> {
    let fork_info: Result<ForkInfo, FieldError> = read_field("fork_info", root.field("fork_info")?);
    let context = FormContext {
        networks,
        fork_info: fork_info.as_ref().ok(),
    };
    let (field, object) = find_object(root, message_type.fields)?;
    let facts = (message_type.read)(object, &context).map_err(|error| error.at(field))?;
    match facts.domain_rule {
        DomainRule::Genesis(version) => Ok(SignSubject::Genesis { facts, version }),
        DomainRule::Fork(moment) => {
            let fork_info = fork_info?;
            let network = networks.of(fork_info.fork.current_version);
            let preset = decide_preset(network, facts.shown_preset.as_ref())
                .map_err(|error| error.at(field))?;
            Ok(SignSubject::Forked {
                facts,
                moment,
                fork_info,
                preset,
            })
        }
    }
}

/// Finds the object of a message under one of its names.
fn find_object<'t>(
    root: JsonValue<'t>,
    names: &'static [&'static str],
) -> Result<(&'static str, JsonValue<'t>), FieldError> {
    let mut found = None;
    for name in names {
        let [value] = root.fields([name])?;
        if let Some(value) = value
            && found.replace((*name, value)).is_some()
        {
            let reason = format!("is there beside {}", names[0]);
            return Err(FieldError::new(reason).at(name));
        }
    }
    found.ok_or_else(|| FieldError::new("is missing".to_owned()).at(names[0]))
}

/// Decides between the preset of the network and the one that a field shows. They must agree; for an
/// unknown network, the field decides.
fn decide_preset(
    network: Option<&Network>,
    shown: Option<&ShownPreset>,
) -> Result<Preset, FieldError> {
    match (network, shown) {
        (Some(network), Some(shown)) if shown.preset != network.preset => {
            let reason = format!(
                "has the length of preset {:?}, but network {} has {:?}",
                shown.preset, network.name, network.preset
            );
            Err(FieldError::new(reason).at(shown.field))
        }
        (Some(network), _) => Ok(network.preset),
        (None, Some(shown)) => Ok(shown.preset),
        (None, None) => Ok(Preset::Mainnet),
    }
}

/// Reads a request of py3signer's form: a root, and at most the name or the value of its domain.
fn read_bare_root(root: JsonValue<'_>, claims: ClaimedRoots) -> Result<Root, RequestError> {
    let [(_, first), (_, second)] = claims;
    let claimed = first.or(second);
    let has_fork_info = root.field("fork_info")?.is_some();
    let domain: Option<DomainType> = read_optional(root, "domain")?;
    let named: Option<DomainType> = match root.field("domain_name")? {
        Some(name) => {
            let named = name.read_text(|name| {
                domain::domain_type_named(name)
                    .ok_or_else(|| wrong("a domain like beacon_attester", name))
            });
            Some(named.map_err(|error| error.at("domain_name"))?)
        }
        None => None,
    };
    let Some(claimed) = claimed.filter(|_| !has_fork_info) else {
        let reason = "is missing; only a bare signingRoot, without fork_info, needs no type";
        return Err(FieldError::new(reason.to_owned()).at("type").into());
    };
    if domain.is_some() && named.is_some() && domain != named {
        let error = FieldError::new("contradicts domain".to_owned());
        return Err(error.at("domain_name").into());
    }
    Ok(claimed)
}

/// Reads a field of a request; one that is missing or `null` is absent.
fn read_optional<T: FromJson>(root: JsonValue<'_>, name: &str) -> Result<Option<T>, FieldError> {
    match root.field(name)? {
        Some(value) => read_field(name, Some(value)).map(Some),
        None => Ok(None),
    }
}

/// Checks the number of elements, once the type is known.
fn check_elements(
    tree: &JsonTree<'_>,
    request: &str,
    elements_max: usize,
) -> Result<(), FieldError> {
    let found = tree.elements;
    if found > elements_max {
        return Err(FieldError::new(format!(
            "the body has {found} JSON elements: expected at most {elements_max} for {request}"
        )));
    }
    Ok(())
}

/// The domain of a message, and the facts that decided it.
struct MessageDomain<'n> {
    version: Version,
    genesis_validators_root: Root,
    /// The epoch that decided the version; `None` when the message holds across forks.
    epoch: Option<Epoch>,
    network: &'n Network,
}

impl MessageDomain<'_> {
    fn signing_root(&self, facts: &SigningFacts) -> Root {
        let domain = domain::domain(
            facts.domain_type,
            self.version,
            self.genesis_validators_root,
        );
        domain::signing_root(facts.root, domain)
    }

    /// Describes what decided the signing root, for the client that expected another.
    fn describe(&self, facts: &SigningFacts) -> String {
        let SigningFacts {
            container,
            root,
            domain_type,
            ..
        } = facts;
        let Self {
            version,
            genesis_validators_root,
            epoch,
            network,
        } = self;
        let of_epoch = match epoch {
            Some(epoch) => format!(" of epoch {epoch}"),
            None => String::new(),
        };
        let network_root = match network.genesis_validators_root {
            Some(root) if epoch.is_some() && root != *genesis_validators_root => {
                format!(", whose genesis_validators_root is {root}")
            }
            Some(_) | None => String::new(),
        };
        let network = &network.name;
        format!(
            "as {container} with root {root}, domain type {domain_type}, version {version}{of_epoch}, \
             genesis_validators_root {genesis_validators_root}, network {network}{network_root} (see --network)"
        )
    }
}

impl From<FieldError> for RequestError {
    fn from(error: FieldError) -> Self {
        Self::Field {
            path: error.path,
            reason: error.reason,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(reason) => write!(f, "the body is not a JSON object: {reason}"),
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
