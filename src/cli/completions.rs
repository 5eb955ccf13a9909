//! Shell completions, made from the table of options and the subcommands.

use argh::FlagInfoKind;

use super::manual;
use super::options;
use super::subcommands;
use super::typed_option::ValueForm;
use crate::consensus::networks::Networks;

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

/// Returns the words that an option takes; none when it takes anything.
fn values(option: &str) -> Vec<&'static str> {
    if option == options::NETWORK.row.name {
        return Networks::names().collect();
    }
    if option == options::LOGGING.row.name {
        return options::LOGGING.value_type.words();
    }
    if option == options::LOGGING_FORMAT.row.name {
        return options::LOGGING_FORMAT.value_type.words();
    }
    if option == options::KEYMANAGER_AUTH.row.name {
        return options::KEYMANAGER_AUTH.value_type.0.words();
    }
    Vec::new()
}

/// A word after which only these words make sense.
struct FollowingWords {
    word: &'static str,
    next: Vec<&'static str>,
}

/// Returns the words that follow subcommands.
fn following_words() -> Vec<FollowingWords> {
    let mut following = Vec::new();
    for (word, next) in subcommands::inner_names() {
        following.push(FollowingWords { word, next });
    }
    following.push(FollowingWords {
        word: "completions",
        next: SHELLS.to_vec(),
    });
    following
}

/// Returns the words that may stand where no option does.
fn words() -> String {
    let words: Vec<_> = subcommands::names().chain(["eth2", "help"]).collect();
    words.join(" ")
}

fn bash() -> String {
    let mut text = "\
_signerd() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    # bash takes the = of --name=value for a word.
    if [[ $word == = ]]; then
        word=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $previous in
"
    .to_owned();
    let mut names = Vec::new();
    for option in long_options() {
        names.push(format!("--{}", option.name));
        let values = values(option.name);
        if !values.is_empty() {
            text.push_str(&format!(
                "    --{}) COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -f -- \"$word\")); return ;;\n",
                option.name,
                values.join(" ")
            ));
        }
    }
    for FollowingWords { word, next } in following_words() {
        text.push_str(&format!(
            "    {word}) [[ $word == -* ]] || {{ COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return; }} ;;\n",
            next.join(" ")
        ));
    }
    text + &format!(
        "    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")) ;;\n    \
         *) COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n    esac\n}}\n\
         complete -o filenames -F _signerd signerd web3signer\n",
        names.join(" "),
        words(),
    )
}

fn zsh() -> String {
    let mut text =
        "#compdef signerd web3signer\nlocal next\ncase ${words[CURRENT-1]} in\n".to_owned();
    for FollowingWords { word, next } in following_words() {
        text.push_str(&format!("{word}) next='{}' ;;\n", next.join(" ")));
    }
    text.push_str(&format!("*) next='{}' ;;\nesac\n_arguments \\\n", words()));
    for option in long_options() {
        let name = option.name;
        let help = option.help.replace(['[', ']', ':', '\''], " ");
        let values = values(name);
        let line = if option.is_switch {
            format!("    '*--{name}[{help}]' \\\n")
        } else if values.is_empty() {
            format!("    '*--{name}=[{help}]:value:_files' \\\n")
        } else {
            format!("    '*--{name}=[{help}]:value:({})' \\\n", values.join(" "))
        };
        text.push_str(&line);
    }
    text + "    \"*:command:($next)\"\n"
}

fn fish() -> String {
    let mut text = format!(
        "complete -c signerd -n __fish_is_first_arg -a '{}'\n",
        words()
    );
    for FollowingWords { word, next } in following_words() {
        text.push_str(&format!(
            "complete -c signerd -f -n '__fish_seen_subcommand_from {word}' -a '{}'\n",
            next.join(" ")
        ));
    }
    for option in long_options() {
        let values = values(option.name);
        let value = if option.is_switch {
            "-f".to_owned()
        } else if values.is_empty() {
            "-r".to_owned()
        } else {
            format!("-r -a '{}'", values.join(" "))
        };
        text.push_str(&format!(
            "complete -c signerd -l {} {value} -d '{}'\n",
            option.name,
            option.help.replace('\'', "\\'")
        ));
    }
    text
}
