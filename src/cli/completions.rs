//! Shell completions, made from the table of options and the subcommands.

use argh::FlagInfoKind;

use super::manual;
use super::options;
use super::subcommands;
use super::typed_option::ValueForm;

/// The words that [`completions`] knows: shells, and `man` for the manual page.
pub(crate) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "man"];

/// A long option, of the service or of a subcommand.
struct LongOption {
    name: &'static str,
    help: &'static str,
    is_switch: bool,
}

/// Returns the completion script of a shell, or the manual page; `None` for a word that is not in [`SHELLS`].
pub(crate) fn completions(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        "man" => Some(manual::man_page()),
        _ => None,
    }
}

/// Returns all long options, sorted by name. Where the service and a subcommand have the same one, the first
/// is taken.
fn long_options() -> Vec<LongOption> {
    let mut long_options = Vec::new();
    for row in options::rows() {
        for name in row.names() {
            long_options.push(LongOption {
                name,
                help: row.help,
                is_switch: row.form == ValueForm::Switch,
            });
        }
    }
    for (_, info) in subcommands::leaves() {
        for flag in info.flags {
            long_options.push(LongOption {
                name: flag.long.trim_start_matches('-'),
                help: flag.description,
                is_switch: matches!(flag.kind, FlagInfoKind::Switch),
            });
        }
    }
    long_options.sort_by_key(|option| option.name);
    long_options.dedup_by_key(|option| option.name);
    long_options
}

/// Returns the words that may stand where no option does.
fn words() -> String {
    let words: Vec<_> = subcommands::names().chain(["eth2"]).collect();
    words.join(" ")
}

fn bash() -> String {
    let options: Vec<_> = long_options()
        .iter()
        .map(|option| format!("--{}", option.name))
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
    for option in long_options() {
        let name = option.name;
        let help = option.help.replace(['[', ']', ':', '\''], " ");
        let line = if option.is_switch {
            format!("    '*--{name}[{help}]' \\\n")
        } else {
            format!("    '*--{name}=[{help}]:value:_files' \\\n")
        };
        text.push_str(&line);
    }
    text + &format!("    '*:command:({})'\n", words())
}

fn fish() -> String {
    let mut text = format!(
        "complete -c signerd -n __fish_is_first_arg -a '{}'\n",
        words()
    );
    for option in long_options() {
        let value = if option.is_switch { "-f" } else { "-r" };
        text.push_str(&format!(
            "complete -c signerd -l {} {value} -d '{}'\n",
            option.name,
            option.help.replace('\'', "\\'")
        ));
    }
    text
}
