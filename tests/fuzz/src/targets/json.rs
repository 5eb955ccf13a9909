//! JSON as clients write it: one value, many spellings.

use super::choices::Choices;

/// A value of a message.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Decimal digits.
    Number(String),
    Hex(Vec<u8>),
    Flag(bool),
    /// A string as it is.
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Writes the value in spellings that `choices` chooses: numbers as strings or numbers, hex with or
    /// without `0x` and in both cases, fields in any order, further fields, spaces.
    pub(crate) fn write(&self, text: &mut String, choices: &mut Choices<'_>) {
        if choices.below(16) == 1 {
            text.push_str(choices.one_of(&[" ", "\n", "\t", "\r\n  "]));
        }
        match self {
            // A JSON number beyond 64 bits is not a whole number to many readers.
            Self::Number(digits) if digits.len() < 20 && choices.below(3) == 1 => {
                text.push_str(digits)
            }
            Self::Number(digits) => quote(digits, text),
            Self::Hex(bytes) => {
                let prefix = choices.one_of(&["0x", "0x", "", "0X"]);
                let is_upper = choices.below(4) == 1;
                let mut digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                if is_upper {
                    digits.make_ascii_uppercase();
                }
                quote(&format!("{prefix}{digits}"), text);
            }
            Self::Flag(flag) => text.push_str(&flag.to_string()),
            Self::Text(plain) => quote(plain, text),
            Self::List(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    separate(index, text);
                    item.write(text, choices);
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                let first = choices.below(members.len().max(1));
                for index in 0..members.len() {
                    separate(index, text);
                    let (name, value) = &members[(first + index) % members.len()];
                    quote(name, text);
                    text.push(':');
                    value.write(text, choices);
                }
                if choices.below(8) == 1 {
                    separate(members.len(), text);
                    text.push_str(r#""unknown":[{"a":null},-1.5e3,"\u00e9"]"#);
                }
                text.push('}');
            }
        }
    }
}

fn separate(index: usize, text: &mut String) {
    if index > 0 {
        text.push(',');
    }
}

fn quote(plain: &str, text: &mut String) {
    text.push('"');
    text.push_str(plain);
    text.push('"');
}
