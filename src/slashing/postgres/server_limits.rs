//! Limits of what a server may ask of its client, some before it has proved anything.

use super::error::DatabaseError;

/// Most iterations of a login by SCRAM: a second of work. PostgreSQL makes 4096.
const SCRAM_ITERATIONS_MAX: u32 = 1_000_000;

/// A longer message than this is not an answer to our statements.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Refuses a long message before the parser makes room for all of it: a length of 2 GB costs four bytes.
pub(super) fn check_length(input: &[u8]) -> Result<(), DatabaseError> {
    if let [_, a, b, c, d, ..] = *input
        && u32::from_be_bytes([a, b, c, d]) as usize > MESSAGE_BYTES_MAX
    {
        return Err(DatabaseError::Connection(
            "the server announced a message that is too long".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a derivation that would keep a thread busy for minutes: the number of its iterations comes from
/// a server that has not yet proved anything (RFC 5802, section 5.1, attribute `i`).
pub(super) fn check_iterations(challenge: &[u8]) -> Result<(), DatabaseError> {
    let mut attributes = challenge.split(|&byte| byte == b',');
    let iterations = attributes.find_map(|attribute| attribute.strip_prefix(b"i="));
    let number = iterations.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match number {
        Some(0..=SCRAM_ITERATIONS_MAX) => Ok(()),
        Some(_) | None => Err(DatabaseError::Unusable(format!(
            "the server asks for more than {SCRAM_ITERATIONS_MAX} iterations of SCRAM: lower \
             scram_iterations there, and set the password again"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::server_message;
    use super::*;

    #[test]
    fn a_server_that_announces_a_message_of_2_gb_costs_no_memory() {
        for length in [0x7fff_ffff_u32, 16 << 20 | 1] {
            let announced = [&b"R"[..], &length.to_be_bytes(), b"\0"].concat();
            assert!(check_length(&announced).is_err(), "{length}");
        }
        assert!(check_length(&server_message(b'R', &[0; 4])).is_ok());
        let longest = [b"R", &(16_u32 << 20).to_be_bytes()[..]].concat();
        assert!(check_length(&longest).is_ok());
        assert!(check_length(b"R\xff\xff").is_ok(), "not yet known");
    }

    #[test]
    fn a_server_that_asks_for_hours_of_scram_is_refused() {
        for (challenge, is_taken) in [
            (&b"r=abc,s=QSXCR+Q6sek8bf92,i=4096"[..], true),
            (b"r=abc,s=QSXCR+Q6sek8bf92,i=1000000", true),
            (b"r=abc,s=QSXCR+Q6sek8bf92,i=1000001", false),
            (b"r=abc,s=QSXCR+Q6sek8bf92,i=4294967296", false),
            (b"r=abc,s=QSXCR+Q6sek8bf92", false),
            (b"i=x", false),
        ] {
            assert_eq!(
                check_iterations(challenge).is_ok(),
                is_taken,
                "{challenge:?}"
            );
        }
    }
}
