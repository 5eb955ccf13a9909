//! The texts that are made from the table and the commands: `--help`, man page, shell completions.

use argh::{FlagInfo, FlagInfoKind};

use super::commands;
use super::table::{self, GROUPS, Kind, Row};

const USAGE: &str = "\
Usage: signerd [options]                 serve, with py3signer's defaults
       signerd [options] eth2 [options]  serve, with Web3Signer's defaults
       signerd <command> [options]       its --help says more; options as above
";

const LAYERS: &str = "\
In the environment: SIGNERD_, WEB3SIGNER_[ETH2_] or PY3SIGNER_, then the name in
capitals, _ for -. In a --config-file: `name: value`. The command line wins.
";

/// What lies in the data directory, for the man page.
const FILES: &[(&str, &str)] = &[
    (
        "DATA-DIR/control.sock",
        "the control socket: wait, healthcheck and slashing speak through it to the service that runs; \
         for its own user and root, without a token. Without --data-dir it is in $RUNTIME_DIRECTORY.",
    ),
    (
        "DATA-DIR/api-token.txt",
        "the token of the Keymanager routes, where none was given",
    ),
];

/// What the process says when it ends.
const EXITS: &[(&str, &str)] = &[
    ("0", "success; healthy"),
    ("1", "not healthy, or a check failed"),
    ("64", "the command line is wrong"),
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
    ("78", "the configuration is wrong"),
];

/// The title of the section of aliases.
const OTHER_NAMES: &str = "Other names";

/// Where the help of an option starts: behind the longest name.
const HELP_COLUMN: usize = 38;

/// The shells that [`completions`] knows; `man` asks for the man page.
pub(crate) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "man"];

/// `signerd 1.2.3`.
pub(crate) fn version() -> String {
    concat!("signerd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// The text of `--help`: at most 80 columns.
pub(crate) fn help() -> String {
    let mut text = USAGE.to_owned();
    for (title, lines) in sections() {
        text.push_str(&format!("{title}:\n"));
        match title {
            // The man page says which is which.
            OTHER_NAMES => lines.chunks(4).for_each(|names| {
                let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
                text.push_str(&format!("  {}\n", names.join("  ")));
            }),
            _ => lines.iter().for_each(|(left, right)| {
                text.push_str(&format!("  {left:<HELP_COLUMN$}{right}\n"));
            }),
        }
    }
    text + LAYERS
}

/// The man page, in roff.
pub(crate) fn man_page() -> String {
    let mut text = format!(
        ".TH SIGNERD 1 \"\" \"{}\" \"User Commands\"\n",
        version().trim()
    );
    text.push_str(
        ".SH NAME\nsignerd \\- remote BLS signer for Ethereum validators\n.SH SYNOPSIS\n.nf\n",
    );
    text.push_str(&roff(USAGE));
    text.push_str(".fi\n");
    let exits = EXITS
        .iter()
        .map(|(code, meaning)| ((*code).to_owned(), (*meaning).to_owned()));
    let mut sections = sections();
    sections.push(("Exit status", exits.collect()));
    let files = FILES
        .iter()
        .map(|(path, meaning)| ((*path).to_owned(), (*meaning).to_owned()));
    sections.push(("Files", files.collect()));
    for (title, lines) in sections {
        text.push_str(&format!(".SH {}\n", title.to_uppercase()));
        for (left, right) in lines {
            text.push_str(&format!(".TP\n.B {}\n{}\n", roff(&left), roff(&right)));
        }
    }
    text + ".SH ENVIRONMENT AND CONFIGURATION FILE\n" + &roff(LAYERS)
}

/// The completion script of a shell, or the man page; `None` for a word not in [`SHELLS`].
pub(crate) fn completions(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        "man" => Some(man_page()),
        _ => None,
    }
}

/// Titles, and lines of name and meaning.
fn sections() -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut sections = vec![("Commands", Vec::new())];
    for (path, info) in commands::leaves() {
        sections[0].1.push((path, info.description.to_owned()));
    }
    for (title, rows) in GROUPS {
        let rows = rows.iter().filter(|row| !row.help.is_empty());
        sections.push((
            title,
            rows.map(|row| (left(row), format!("{}{}", row.help, default_of(row))))
                .collect(),
        ));
    }
    let aliases = |row: &'static Row| {
        row.aliases
            .iter()
            .map(|alias| (format!("--{alias}"), format!("--{}", row.name)))
    };
    sections.push((OTHER_NAMES, table::rows().flat_map(aliases).collect()));
    sections
}

fn left(row: &Row) -> String {
    let short = row
        .short
        .map(|short| format!(", -{short}"))
        .unwrap_or_default();
    match row.kind {
        Kind::Switch => format!("--{}{short}", row.name),
        Kind::Value(word) | Kind::Path(word) | Kind::List(word) | Kind::Secret(word) => {
            format!("--{}{short} {word}", row.name)
        }
    }
}

fn default_of(row: &Row) -> String {
    match (row.default, row.eth2_default) {
        ("" | "false", None) => String::new(),
        (default, None) => format!(" [{default}]"),
        (default, Some(eth2)) => format!(" [{default}; eth2: {eth2}]"),
    }
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace("\n.", "\n\\&.")
}

/// All long options: those of the service, then those of the commands.
fn long_options() -> Vec<(&'static str, &'static str, bool)> {
    let rows = table::rows().map(|row| (row.name, row.help, row.kind == Kind::Switch));
    let aliases = table::rows().flat_map(|row| {
        row.aliases
            .iter()
            .map(move |alias| (*alias, row.help, row.kind == Kind::Switch))
    });
    let own = commands::leaves()
        .into_iter()
        .flat_map(|(_, info)| info.flags)
        .map(|flag: &FlagInfo<'_>| {
            (
                flag.long.trim_start_matches('-'),
                flag.description,
                matches!(flag.kind, FlagInfoKind::Switch),
            )
        });
    let mut options: Vec<_> = rows.chain(aliases).chain(own).collect();
    options.sort_unstable();
    options.dedup_by_key(|option| option.0);
    options
}

fn words() -> String {
    commands::names()
        .chain(["eth2"])
        .collect::<Vec<_>>()
        .join(" ")
}

fn bash() -> String {
    let options: Vec<_> = long_options()
        .iter()
        .map(|(name, ..)| format!("--{name}"))
        .collect();
    format!(
        "_signerd() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}}\n    case $word in\n    \
         -*) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")) ;;\n    \
         *) COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n    esac\n}}\n\
         complete -o filenames -F _signerd signerd web3signer\n",
        options.join(" "),
        words(),
    )
}

fn zsh() -> String {
    let mut text = "#compdef signerd web3signer\n_arguments \\\n".to_owned();
    for (name, help, switch) in long_options() {
        let help = help.replace(['[', ']', ':', '\''], " ");
        let value = if switch {
            ("", "")
        } else {
            ("=", ":value:_files")
        };
        text.push_str(&format!(
            "    '*--{name}{}[{help}]{}' \\\n",
            value.0, value.1
        ));
    }
    text + &format!("    '*:command:({})'\n", words())
}

fn fish() -> String {
    let mut text = format!(
        "complete -c signerd -n __fish_is_first_arg -a '{}'\n",
        words()
    );
    for (name, help, switch) in long_options() {
        let value = if switch { "-f" } else { "-r" };
        text.push_str(&format!(
            "complete -c signerd -l {name} {value} -d '{}'\n",
            help.replace('\'', "\\'")
        ));
    }
    text
}
