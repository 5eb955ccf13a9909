//! The manual page, in roff: what the table of options and the subcommands say, and what only prose can.

use argh::{FlagInfo, FlagInfoKind, Optionality};

use super::help::{default_in_brackets, synopsis, version};
use super::options::{self, GROUPS};
use super::subcommands;

const DESCRIPTION: &[&str] = &[
    "signerd holds the keys of Ethereum validators and signs for a validator client over HTTP. It serves the signing API \
     of Web3Signer, the Keymanager API, and the API of py3signer.",
    "Without a command it serves. In its own form the options have the defaults of py3signer (ports 8080 and 8081). With \
     the word eth2, or when it is run under the name web3signer, they have the defaults of Web3Signer (ports 9000 and \
     9001). Options may stand on either side of that word and of a command.",
    "With a data directory it keeps slashing protection (EIP-3076): what was signed is on disk before a signature leaves. \
     Without one it signs whatever is requested, and says so in the log.",
];

const NOTATION: &str = "A value follows its option as --name=value or --name value. A switch may stand alone, or with true or \
     false. Lists are separated by commas, or given several times. The last value counts where an option takes one.";

/// What `--keys` recognises.
const LAYOUTS: &[(&str, &str)] = &[
    (
        "NAME.json, NAME.txt",
        "keystores with their passwords beside them, as `signerd keys new` makes them",
    ),
    (
        "validator_keys/keystore-m_*.json",
        "the deposit tools; the password is that of --keystores-password-file",
    ),
    (
        "keys/NAME.json, passwords/NAME.txt",
        "Teku; also keys/ with secrets/, and teku-keys/ with teku-secrets/ of eth2-val-tools",
    ),
    (
        "validators/0xPUBKEY/voting-keystore.json, secrets/0xPUBKEY",
        "Lighthouse",
    ),
    (
        "validators/0xPUBKEY/keystore.json, secrets/0xPUBKEY",
        "Nimbus",
    ),
    (
        "keystores/0xPUBKEY/voting-keystore.json, secrets/0xPUBKEY",
        "Lodestar",
    ),
    (
        "direct/accounts/all-accounts.keystore.json",
        "Prysm; the password is that of --keystores-password-file",
    ),
];

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Keys for a test, served on port 8080:",
        "signerd keys new --count 4 --out keys\nsignerd --keys keys",
    ),
    (
        "A devnet, instead of Web3Signer:",
        "signerd --http-listen-port=9000 eth2 --network=/network-configs/config.yaml \\\n    \
         --keystores-path=keys --keystores-passwords-path=secrets --slashing-protection-enabled=false",
    ),
    (
        "A validator's machine, with slashing protection:",
        "signerd --network=hoodi --data-dir=/var/lib/signerd --keys=/srv/validator",
    ),
    (
        "Is the service ready?",
        "signerd wait --expect-keys 4 --timeout 60",
    ),
    (
        "What would it do with these options?",
        "signerd check --config-file=/etc/signerd/signerd.yaml",
    ),
    (
        "Slashing protection, from one signer to another:",
        "signerd slashing export --data-dir=old --to=protection.json\n\
         signerd slashing import --data-dir=new --from=protection.json",
    ),
    (
        "A validator leaves:",
        "signerd exit --network=hoodi --key=0xPUBKEY --epoch=90000 --validator-index=7",
    ),
];

const ENVIRONMENT: &[&str] = &[
    "Every option has a variable: SIGNERD_ and its name in capitals, with _ for -. WEB3SIGNER_, WEB3SIGNER_ETH2_ and \
     PY3SIGNER_ are read too. An empty variable counts as unset, unless the option restricts access.",
    "A --config-file holds lines of `name: value` in YAML, the names without dashes; lists are YAML lists or separated by \
     commas. The command line wins over the environment, the environment over the file.",
    "INVOCATION_ID, NOTIFY_SOCKET, LISTEN_FDS, WATCHDOG_USEC and RUNTIME_DIRECTORY are used as systemd sets them.",
];

const FILES: &[(&str, &str)] = &[
    (
        "/etc/signerd/signerd.yaml",
        "the configuration of the packaged service. Commands on its host use it, unless they are given --config-file, \
         --data-dir or keys.",
    ),
    (
        "/etc/default/signerd",
        "the environment of the packaged service, used by commands in the same way",
    ),
    (
        "DATA-DIR/keystores/NAME.json, NAME.txt",
        "imported keystores and their passwords",
    ),
    (
        "DATA-DIR/slashing-protection.redb",
        "the store of slashing protection",
    ),
    (
        "DATA-DIR/control.sock",
        "the control socket: wait, healthcheck, top and slashing speak through it to the running service. It serves the \
         service's own user and root, without a token. Without --data-dir it is in $RUNTIME_DIRECTORY.",
    ),
    (
        "DATA-DIR/api-token.txt",
        "the token of the Keymanager routes, where none was given. A client that came in by its certificate needs none, \
         unless an option gives a token or --keymanager-auth=token.",
    ),
];

const EXITS: &[(&str, &str)] = &[
    ("0", "success; healthy"),
    ("1", "not healthy, or a keystore does not open"),
    (
        "64",
        "the command line is wrong: an unknown command or option, or a value that the option does not take",
    ),
    ("66", "a file that was named cannot be read"),
    (
        "69",
        "an address cannot be had, or a server does not answer",
    ),
    ("70", "a bug: a thread that signerd needs has died"),
    ("71", "the system refused a resource, such as locked memory"),
    ("73", "a file cannot be created"),
    ("74", "reading or writing failed"),
    (
        "77",
        "a permission is missing, or others can read a secret file",
    ),
    (
        "78",
        "the settings are wrong: options contradict each other, or the environment or a file has a wrong value",
    ),
    ("141", "nobody reads standard output any more"),
];

/// Returns the manual page.
pub(super) fn man_page() -> String {
    let mut page = ManPage {
        text: format!(
            ".TH SIGNERD 1 \"\" \"{}\" \"User Commands\"\n",
            version().trim()
        ),
    };
    page.section("NAME");
    page.text
        .push_str("signerd \\- remote BLS signer for Ethereum validators\n");
    page.synopsis();
    page.section("DESCRIPTION");
    page.paragraphs(DESCRIPTION);
    page.commands();
    page.options();
    page.section("KEY LAYOUTS");
    page.paragraphs(&["--keys finds these below each of its directories:"]);
    page.entries(LAYOUTS);
    page.section("EXAMPLES");
    for (title, lines) in EXAMPLES {
        page.paragraphs(&[title]);
        page.lines(lines);
    }
    page.section("ENVIRONMENT");
    page.paragraphs(ENVIRONMENT);
    page.section("FILES");
    page.entries(FILES);
    page.section("EXIT STATUS");
    page.entries(EXITS);
    page.section("SEE ALSO");
    page.paragraphs(&["systemctl(1), systemd.exec(5), curl(1)"]);
    page.text
}

/// A manual page in the making.
struct ManPage {
    text: String,
}

impl ManPage {
    fn section(&mut self, title: &str) {
        self.text.push_str(&format!(".SH {title}\n"));
    }

    fn paragraphs(&mut self, paragraphs: &[&str]) {
        for paragraph in paragraphs {
            self.text.push_str(&format!(".PP\n{}\n", roff(paragraph)));
        }
    }

    /// Adds lines as they are, indented.
    fn lines(&mut self, lines: &str) {
        self.text
            .push_str(&format!(".PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n", roff(lines)));
    }

    fn entries(&mut self, entries: &[(&str, &str)]) {
        for (name, meaning) in entries {
            self.entry(name, meaning);
        }
    }

    fn entry(&mut self, name: &str, meaning: &str) {
        self.text
            .push_str(&format!(".TP\n.B {}\n{}\n", roff(name), roff(meaning)));
    }

    fn synopsis(&mut self) {
        self.section("SYNOPSIS");
        for (words, rest) in [
            ("signerd", "[\\fIoptions\\fR]"),
            (
                "signerd",
                "[\\fIoptions\\fR] \\fBeth2\\fR [\\fIoptions\\fR]",
            ),
        ] {
            self.text.push_str(&format!(".PP\n.B {words}\n{rest}\n"));
        }
        for (name, info) in subcommands::leaves() {
            let mut line = format!(".PP\n.B signerd {}\n", roff(&name));
            for flag in info.flags {
                if !flag.hidden && flag.long != "--help" {
                    let is_required = matches!(flag.optionality, Optionality::Required);
                    let usage = usage(flag);
                    line.push_str(&if is_required {
                        format!("{usage}\n")
                    } else {
                        format!("[{usage}]\n")
                    });
                }
            }
            for positional in info.positionals {
                line.push_str(&format!("\\fI{}\\fR\n", roff(positional.name)));
            }
            self.text.push_str(&line);
        }
    }

    fn commands(&mut self) {
        self.section("COMMANDS");
        for (name, info) in subcommands::leaves() {
            self.entry(&name, info.description);
            self.text.push_str(".RS\n");
            for flag in info.flags {
                if !flag.hidden && flag.long != "--help" {
                    self.text.push_str(&format!(
                        ".TP\n{}\n{}\n",
                        usage(flag),
                        roff(flag.description)
                    ));
                }
            }
            self.text.push_str(".RE\n");
        }
    }

    fn options(&mut self) {
        self.section("OPTIONS");
        self.paragraphs(&[NOTATION]);
        for (title, rows) in GROUPS {
            self.text.push_str(&format!(".SS {title}\n"));
            for row in rows.iter().filter(|row| !row.help.is_empty()) {
                let meaning = format!("{}{}", row.help, default_in_brackets(row));
                self.entry(&synopsis(row), &meaning);
            }
        }
        self.text.push_str(".SS Other names\n");
        for row in options::rows() {
            for alias in row.aliases {
                self.entry(&format!("--{alias}"), &format!("--{}", row.name));
            }
        }
    }
}

/// Returns an option of a subcommand with its placeholder, in roff.
fn usage(flag: &FlagInfo<'_>) -> String {
    match flag.kind {
        FlagInfoKind::Switch => format!("\\fB{}\\fR", roff(flag.long)),
        FlagInfoKind::Option { arg_name } => {
            let placeholder = arg_name.to_uppercase();
            format!("\\fB{}\\fR \\fI{}\\fR", roff(flag.long), roff(&placeholder))
        }
    }
}

/// Escapes what roff would take for a command or a hyphen.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace("\n.", "\n\\&.")
}
