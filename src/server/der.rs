//! The little of DER that TLS needs beside rustls: the fields of a certificate of any version, and EC keys
//! without their public half.
//!
//! Source: ITU-T X.690 (DER), RFC 5280 section 4.1 (certificates), RFC 5915 (EC keys), RFC 5958 (PKCS#8).

use jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_1: u8 = 0xa1;

/// `id-ecPublicKey`: 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Curves that errors name: object identifier and name.
const CURVES: [(&[u8], &str); 4] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
];

/// Reads one element after the other.
struct DerReader<'a>(&'a [u8]);

struct DerElement<'a> {
    tag: u8,
    content: &'a [u8],
    /// Tag, length and content.
    whole: &'a [u8],
}

impl<'a> DerReader<'a> {
    /// The next element; `None` at the end, and when it is malformed.
    fn next(&mut self) -> Option<DerElement<'a>> {
        let tag = *self.0.first()?;
        let first = usize::from(*self.0.get(1)?);
        let mut header = 2;
        let mut length = first;
        if first >= 0x80 {
            let length_bytes = first - 0x80;
            if length_bytes == 0 || length_bytes > 3 {
                return None;
            }
            length = 0;
            for byte in self.0.get(2..2 + length_bytes)? {
                length = length << 8 | usize::from(*byte);
            }
            header += length_bytes;
        }
        let whole = self.0.get(..header + length)?;
        self.0 = &self.0[header + length..];
        Some(DerElement {
            tag,
            content: &whole[header..],
            whole,
        })
    }

    /// The next element, which has this tag.
    fn expect(&mut self, tag: u8) -> Option<DerElement<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The next element if it has this tag; otherwise it stays.
    fn optional(&mut self, tag: u8) -> Option<DerElement<'a>> {
        if self.0.first() == Some(&tag) {
            self.next()
        } else {
            None
        }
    }
}

/// The fields of a certificate that do not depend on its version.
pub(super) struct CertificateFields<'a> {
    /// Whether it is of version 3; rustls reads no other.
    pub(super) is_version_3: bool,
    /// SubjectPublicKeyInfo, with its header.
    pub(super) public_key_info: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl<'a> CertificateFields<'a> {
    /// Reads the fields; `None` when this is not a certificate.
    pub(super) fn parse(certificate: &'a [u8]) -> Option<Self> {
        let outer = DerReader(certificate).expect(SEQUENCE)?;
        let mut fields = DerReader(DerReader(outer.content).expect(SEQUENCE)?.content);
        let version = fields.optional(EXPLICIT_0);
        fields.expect(INTEGER)?; // serial number
        fields.expect(SEQUENCE)?; // algorithm of the signature
        fields.expect(SEQUENCE)?; // issuer
        let mut validity = DerReader(fields.expect(SEQUENCE)?.content);
        fields.expect(SEQUENCE)?; // subject
        Some(Self {
            is_version_3: version.is_some_and(|version| version.content == [INTEGER, 1, 2]),
            public_key_info: fields.expect(SEQUENCE)?.whole,
            not_before: parse_time(&validity.next()?)?,
            not_after: parse_time(&validity.next()?)?,
        })
    }

    /// The public key: the content of its AlgorithmIdentifier, and its bits.
    pub(super) fn public_key(&self) -> Option<(&'a [u8], &'a [u8])> {
        let mut reader = DerReader(DerReader(self.public_key_info).expect(SEQUENCE)?.content);
        let algorithm = reader.expect(SEQUENCE)?;
        let bits = reader.expect(BIT_STRING)?;
        Some((algorithm.content, bits.content.strip_prefix(&[0])?))
    }
}

/// Both forms of a time, which are in UTC.
fn parse_time(element: &DerElement<'_>) -> Option<Timestamp> {
    let text = str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let text = match element.tag {
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if text.len() != 14 || !text.is_ascii() {
        return None;
    }
    let (date, time) = text.split_at(8);
    let shown = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    shown.parse().ok()
}

/// An EC private key that was read.
pub(super) struct EcPrivateKey<'a> {
    /// The object identifier of its curve, if the file has one.
    curve: Option<&'a [u8]>,
    private: &'a [u8],
    /// Whether the file has the public half.
    pub(super) has_public_half: bool,
}

impl<'a> EcPrivateKey<'a> {
    /// Reads a key; `None` when it is not an EC key.
    pub(super) fn parse(key: &'a PrivateKeyDer<'_>) -> Option<Self> {
        match key {
            PrivateKeyDer::Sec1(key) => Self::parse_sec1(key.secret_sec1_der()),
            PrivateKeyDer::Pkcs8(key) => Self::parse_pkcs8(key.secret_pkcs8_der()),
            // PKCS#1 holds RSA keys.
            PrivateKeyDer::Pkcs1(_) | _ => None,
        }
    }

    fn parse_pkcs8(der: &'a [u8]) -> Option<Self> {
        let mut fields = DerReader(DerReader(der).expect(SEQUENCE)?.content);
        fields.expect(INTEGER)?;
        let mut algorithm = DerReader(fields.expect(SEQUENCE)?.content);
        if algorithm.expect(OBJECT_IDENTIFIER)?.content != EC_PUBLIC_KEY {
            return None;
        }
        let curve = algorithm.optional(OBJECT_IDENTIFIER);
        let mut key = Self::parse_sec1(fields.expect(OCTET_STRING)?.content)?;
        key.curve = curve.map(|curve| curve.content).or(key.curve);
        Some(key)
    }

    fn parse_sec1(der: &'a [u8]) -> Option<Self> {
        let mut fields = DerReader(DerReader(der).expect(SEQUENCE)?.content);
        fields.expect(INTEGER)?;
        let private = fields.expect(OCTET_STRING)?.content;
        let parameters = fields.optional(EXPLICIT_0);
        let curve =
            parameters.and_then(|element| DerReader(element.content).expect(OBJECT_IDENTIFIER));
        Some(Self {
            curve: curve.map(|curve| curve.content),
            private,
            has_public_half: fields.optional(EXPLICIT_1).is_some(),
        })
    }

    /// The name of its curve, if it is known.
    pub(super) fn curve_name(&self) -> Option<&'static str> {
        let curve = self.curve?;
        let (_, name) = CURVES.iter().find(|(oid, _)| *oid == curve)?;
        Some(name)
    }

    /// The same key in PKCS#8 with the public half of a certificate. `None` when the certificate has a key
    /// of another kind. Whether the halves belong together is checked by who reads the result.
    pub(super) fn with_public_half(
        &self,
        certificate: &CertificateFields<'_>,
    ) -> Option<PrivatePkcs8KeyDer<'static>> {
        let (algorithm, point) = certificate.public_key()?;
        let mut parts = DerReader(algorithm);
        if parts.expect(OBJECT_IDENTIFIER)?.content != EC_PUBLIC_KEY {
            return None;
        }
        let curve = parts.expect(OBJECT_IDENTIFIER)?.content;
        if self.curve.is_some_and(|own| own != curve) {
            return None;
        }
        // An uncompressed point: 4, then two coordinates of the length of the private key.
        let length = point.len().checked_sub(1)? / 2;
        let padding = length.checked_sub(self.private.len())?;
        let mut private = Zeroizing::new(vec![0; padding]);
        private.extend_from_slice(self.private);
        let public = [&[0], point].concat();
        let key = element(
            SEQUENCE,
            &[
                element(INTEGER, &[&[1]]).as_slice(),
                &element(OCTET_STRING, &[&private]),
                &element(EXPLICIT_1, &[&element(BIT_STRING, &[&public])]),
            ],
        );
        let pkcs8 = element(
            SEQUENCE,
            &[
                element(INTEGER, &[&[0]]).as_slice(),
                &element(SEQUENCE, &[algorithm]),
                &element(OCTET_STRING, &[&key]),
            ],
        );
        Some(PrivatePkcs8KeyDer::from(pkcs8.to_vec()))
    }
}

/// An element with this tag and content.
fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let content = Zeroizing::new(parts.concat());
    let mut out = Zeroizing::new(vec![tag]);
    let length = content.len();
    let [.., high, low] = length.to_be_bytes();
    if length < 0x80 {
        out.push(low);
    } else if length < 0x100 {
        out.extend([0x81, low]);
    } else {
        out.extend([0x82, high, low]);
    }
    out.extend_from_slice(&content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        for (tag, text, expected) in [
            (UTC_TIME, "260102030405Z", Some("2026-01-02T03:04:05Z")),
            (UTC_TIME, "991231235959Z", Some("1999-12-31T23:59:59Z")),
            (
                GENERALIZED_TIME,
                "20500102030405Z",
                Some("2050-01-02T03:04:05Z"),
            ),
            (UTC_TIME, "2601020304Z", None),
            (GENERALIZED_TIME, "20501302030405Z", None),
            (INTEGER, "20500102030405Z", None),
        ] {
            let element = DerElement {
                tag,
                content: text.as_bytes(),
                whole: &[],
            };
            let time = parse_time(&element).map(|time| time.to_string());
            assert_eq!(time.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_is_not_read() {
        let whole = element(SEQUENCE, &[&[0x05; 300]]);
        let read = DerReader(&whole).next().expect("an element");
        assert_eq!(read.whole, whole.as_slice());
        for length in 0..whole.len() {
            assert!(DerReader(&whole[..length]).next().is_none(), "{length}");
        }
    }
}
