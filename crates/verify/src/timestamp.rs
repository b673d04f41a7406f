//! Timestamps (RFC 3161): what somebody else's clock says of a checkpoint.
//!
//! Promises that a timestamp counts only over the text that it was asked for, signed by a certificate for timestamping that leads to one of the
//! [`Authorities`] and was valid at that time. Whether a certificate was revoked is not asked: that needs a network.

use der::asn1::AnyRef;
use der::{Decode as _, Reader as _, SliceReader};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

use crate::entry::EntryTime;
use crate::hash::{HASH_BYTES, Hash};
use crate::limits::CERTIFICATES_MAX;

/// What a request is sent as.
pub const REQUEST_TYPE: &str = "application/timestamp-query";
/// Bytes of the number that ties an answer to its request.
pub const NONCE_BYTES: usize = 8;

/// Object identifiers, as DER has them without tag and length.
mod oid {
    pub(super) const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    pub(super) const TST_INFO: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04";
    pub(super) const CONTENT_TYPE: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03";
    pub(super) const MESSAGE_DIGEST: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04";
    pub(super) const SIGNING_CERTIFICATE_V2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f";
    pub(super) const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    pub(super) const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
    pub(super) const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";
    pub(super) const TIME_STAMPING: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x08";
    pub(super) const COMMON_NAME: &[u8] = b"\x55\x04\x03";
}

/// Tags of DER.
mod tag {
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const OID: u8 = 0x06;
    pub(super) const TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    /// The first field of those that may be left out, constructed.
    pub(super) const FIELD_0: u8 = 0xa0;
    pub(super) const FIELD_1: u8 = 0xa1;
}

/// Whose word about the time is taken.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<TrustAnchor<'static>>);

/// Why no authorities are in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected certificates of authorities in PEM, from `-----BEGIN CERTIFICATE-----`, at most {CERTIFICATES_MAX}")]
pub struct NoAuthorities;

impl Authorities {
    /// Those whose certificates stand in a PEM text.
    ///
    /// # Errors
    ///
    /// When there is none, or one that cannot be read.
    pub fn read(pem: &[u8]) -> Result<Authorities, NoAuthorities> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX + 1).collect();
        let certificates = certificates.map_err(|_| NoAuthorities)?;
        if certificates.is_empty() || certificates.len() > CERTIFICATES_MAX {
            return Err(NoAuthorities);
        }
        let anchor =
            |certificate: &CertificateDer<'_>| Some(webpki::anchor_from_trusted_cert(certificate).ok()?.to_owned());
        certificates.iter().map(anchor).collect::<Option<Vec<_>>>().map(Authorities).ok_or(NoAuthorities)
    }

    /// Whether there is none, so that no signature is checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a timestamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the text was there, by the clock of the authority.
    pub time: EntryTime,
    /// The name in the certificate that signed it; none where no authorities were given, so that nobody vouches for it.
    pub by: Option<String>,
}

/// Why a timestamp does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTimestamp {
    /// It is none.
    #[error("not a timestamp (RFC 3161); expected {0}")]
    Malformed(&'static str),
    /// The authority did not give one.
    #[error("the authority gave no timestamp: status {0}")]
    Refused(u8),
    /// It is over something else.
    #[error("the timestamp is over another text")]
    OtherText,
    /// It is the answer to another request.
    #[error("the timestamp answers another request")]
    OtherRequest,
    /// Its signature is not right.
    #[error("the timestamp's signature is not right, or by no certificate that is with it")]
    NotSigned,
    /// Nobody who is trusted vouches for who signed it.
    #[error("the timestamp is signed by `{name}`, for which no authority vouches that was named: {reason}")]
    NotTrusted {
        /// Who signed it.
        name: String,
        /// Why.
        reason: String,
    },
}

impl From<der::Error> for BadTimestamp {
    fn from(_: der::Error) -> BadTimestamp {
        BadTimestamp::Malformed("DER")
    }
}

/// What is asked of an authority: a timestamp over the text with this hash, with its certificates.
#[must_use]
pub fn request(over: &Hash, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    let algorithm = sequence(&[item(tag::OID, oid::SHA256), item(tag::NULL, &[])]);
    let imprint = sequence(&[algorithm, item(tag::OCTETS, over.bytes())]);
    sequence(&[item(tag::INTEGER, &[1]), imprint, item(tag::INTEGER, &positive(nonce)), item(tag::BOOLEAN, &[0xff])])
}

/// A number that is written with all of its bytes.
fn positive(mut nonce: [u8; NONCE_BYTES]) -> [u8; NONCE_BYTES] {
    if let Some(first) = nonce.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    nonce
}

/// An item of less than 128 bytes.
fn item(tag: u8, value: &[u8]) -> Vec<u8> {
    debug_assert!(value.len() < 128, "one byte says the length");
    [&[tag, value.len() as u8], value].concat()
}

fn sequence(items: &[Vec<u8>]) -> Vec<u8> {
    item(tag::SEQUENCE, &items.concat())
}

/// Checks an authority's answer over the text with this hash. Without authorities no signature is checked.
///
/// # Errors
///
/// When it does not count.
pub fn check(answer: &[u8], over: &Hash, authorities: &Authorities) -> Result<Stamp, BadTimestamp> {
    let token = Token::read(answer)?;
    token.is_over(over)?;
    let time = token.time()?;
    let by = if authorities.is_empty() { None } else { Some(token.signed_by(&time, authorities)?) };
    Ok(Stamp { time, by })
}

/// The same, of the answer to the request with this nonce.
///
/// # Errors
///
/// When it does not count.
pub fn check_answer(
    answer: &[u8],
    over: &Hash,
    nonce: [u8; NONCE_BYTES],
    authorities: &Authorities,
) -> Result<Stamp, BadTimestamp> {
    let stamp = check(answer, over, authorities)?;
    let is_ours = Token::read(answer)?.nonce == Some(&positive(nonce));
    if is_ours { Ok(stamp) } else { Err(BadTimestamp::OtherRequest) }
}

/// An answer taken apart.
struct Token<'a> {
    /// What was signed: the whole of it, and what its hash is said to be.
    content: &'a [u8],
    certificates: Vec<CertificateDer<'a>>,
    signer: Signer<'a>,
    imprint: &'a [u8],
    time: &'a [u8],
    nonce: Option<&'a [u8]>,
}

/// Who signed, and what.
struct Signer<'a> {
    digest: &'a [u8],
    /// The attributes that are signed, with their tag.
    attributes: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Token<'a> {
    fn read(answer: &'a [u8]) -> Result<Token<'a>, BadTimestamp> {
        let expected = BadTimestamp::Malformed;
        let mut outer = Items::whole(answer, tag::SEQUENCE)?;
        let status = Items::of(outer.next(tag::SEQUENCE)?)?.next(tag::INTEGER)?;
        match status {
            // Granted, as asked or with changes.
            [0 | 1] => {}
            [other] => return Err(BadTimestamp::Refused(*other)),
            _ => return Err(expected("a status")),
        }
        let mut info = Items::of(outer.next(tag::SEQUENCE)?)?;
        if info.next(tag::OID)? != oid::SIGNED_DATA {
            return Err(expected("signed data"));
        }
        let mut signed = Items::of(Items::of(info.next(tag::FIELD_0)?)?.next(tag::SEQUENCE)?)?;
        signed.next(tag::INTEGER)?;
        signed.next(tag::SET)?;
        let mut content = Items::of(signed.next(tag::SEQUENCE)?)?;
        if content.next(tag::OID)? != oid::TST_INFO {
            return Err(expected("a timestamp in what is signed"));
        }
        let content = Items::of(content.next(tag::FIELD_0)?)?.next(tag::OCTETS)?;
        let mut certificates = Vec::new();
        if let Some(set) = signed.next_if(tag::FIELD_0)? {
            let mut set = Items::of(set)?;
            while let Some((_, _, whole)) = set.any()? {
                certificates.push(CertificateDer::from(whole));
            }
        }
        if certificates.len() > CERTIFICATES_MAX {
            return Err(expected("at most 16 certificates"));
        }
        signed.next_if(tag::FIELD_1)?;
        let mut signers = Items::of(signed.next(tag::SET)?)?;
        let signer = Signer::read(signers.next(tag::SEQUENCE)?)?;
        let mut info = Items::whole(content, tag::SEQUENCE)?;
        info.next(tag::INTEGER)?;
        info.next(tag::OID)?;
        let mut imprint = Items::of(info.next(tag::SEQUENCE)?)?;
        let algorithm = Items::of(imprint.next(tag::SEQUENCE)?)?.next(tag::OID)?;
        if algorithm != oid::SHA256 {
            return Err(BadTimestamp::OtherText);
        }
        let imprint = imprint.next(tag::OCTETS)?;
        info.next(tag::INTEGER)?;
        let time = info.next(tag::TIME)?;
        info.next_if(tag::SEQUENCE)?;
        info.next_if(tag::BOOLEAN)?;
        let nonce = info.next_if(tag::INTEGER)?;
        Ok(Token { content, certificates, signer, imprint, time, nonce })
    }

    fn is_over(&self, over: &Hash) -> Result<(), BadTimestamp> {
        let imprint = <[u8; HASH_BYTES]>::try_from(self.imprint).map_err(|_| BadTimestamp::OtherText)?;
        if Hash::new(imprint) == *over { Ok(()) } else { Err(BadTimestamp::OtherText) }
    }

    /// From `20260301091230.5Z`.
    fn time(&self) -> Result<EntryTime, BadTimestamp> {
        let wrong = || BadTimestamp::Malformed("a time such as `20260301091230Z`");
        let text = std::str::from_utf8(self.time).map_err(|_| wrong())?;
        let text = text.strip_suffix('Z').ok_or_else(wrong)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let part = |from: usize, to: usize| whole.get(from..to).ok_or_else(wrong);
        let said = format!(
            "{}-{}-{}T{}:{}:{}.{fraction:0<9}Z",
            part(0, 4)?,
            part(4, 6)?,
            part(6, 8)?,
            part(8, 10)?,
            part(10, 12)?,
            whole.get(12..).unwrap_or_default(),
        );
        let time = EntryTime::parse(&said).ok_or_else(wrong)?;
        time.seconds().map(|_| time).ok_or_else(wrong)
    }

    /// Who signed it, where an authority vouches for that.
    fn signed_by(&self, time: &EntryTime, authorities: &Authorities) -> Result<String, BadTimestamp> {
        let message = self.signer.signed(self.content)?;
        let mut not_trusted = None;
        for certificate in &self.certificates {
            let Ok(signer) = EndEntityCert::try_from(certificate) else { continue };
            let is_signed = ALL_VERIFICATION_ALGS
                .iter()
                .any(|algorithm| signer.verify_signature(*algorithm, &message, self.signer.signature).is_ok());
            if !is_signed || !self.signer.names(certificate)? {
                continue;
            }
            let name = common_name(signer.subject()).unwrap_or_else(|| "somebody without a name".to_owned());
            let seconds = time.seconds().unwrap_or_default();
            let path = signer.verify_for_usage(
                ALL_VERIFICATION_ALGS,
                &authorities.0,
                &self.certificates,
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
                KeyUsage::required(oid::TIME_STAMPING),
                None,
                None,
            );
            match path {
                Ok(_) => return Ok(name),
                Err(error) => not_trusted = Some(BadTimestamp::NotTrusted { name, reason: error.to_string() }),
            }
        }
        Err(not_trusted.unwrap_or(BadTimestamp::NotSigned))
    }
}

impl<'a> Signer<'a> {
    fn read(bytes: &'a [u8]) -> Result<Signer<'a>, BadTimestamp> {
        let mut items = Items::of(bytes)?;
        items.next(tag::INTEGER)?;
        // Who signed is found by the signature.
        items.any()?;
        let digest = Items::of(items.next(tag::SEQUENCE)?)?.next(tag::OID)?;
        let (_, _, attributes) = items
            .any()?
            .filter(|(tag, _, _)| *tag == tag::FIELD_0)
            .ok_or(BadTimestamp::Malformed("attributes that are signed"))?;
        items.next(tag::SEQUENCE)?;
        Ok(Signer { digest, attributes, signature: items.next(tag::OCTETS)? })
    }

    /// The values of an attribute; none where it is not there.
    fn attribute(&self, name: &[u8]) -> Result<Option<&'a [u8]>, BadTimestamp> {
        let mut attributes = Items::whole(self.attributes, tag::FIELD_0)?;
        while let Some((_, attribute, _)) = attributes.any()? {
            let mut attribute = Items::of(attribute)?;
            if attribute.next(tag::OID)? == name {
                return Ok(Some(attribute.next(tag::SET)?));
            }
        }
        Ok(None)
    }

    /// What the signature is over, where that commits to the content.
    fn signed(&self, content: &[u8]) -> Result<Vec<u8>, BadTimestamp> {
        let of = |name| self.attribute(name)?.ok_or(BadTimestamp::Malformed("the attributes of a signed timestamp"));
        let is_timestamp = Items::of(of(oid::CONTENT_TYPE)?)?.next(tag::OID)? == oid::TST_INFO;
        let digest = Items::of(of(oid::MESSAGE_DIGEST)?)?.next(tag::OCTETS)?;
        if !is_timestamp || digest_of(self.digest, content).as_deref() != Some(digest) {
            return Err(BadTimestamp::NotSigned);
        }
        // They are signed as a set, and written as a field.
        let rest = self.attributes.get(1..).unwrap_or_default();
        Ok([&[tag::SET], rest].concat())
    }

    /// Whether this is the certificate that the signature names as its own, where it names one by a hash of this century.
    fn names(&self, certificate: &[u8]) -> Result<bool, BadTimestamp> {
        let Some(named) = self.attribute(oid::SIGNING_CERTIFICATE_V2)? else { return Ok(true) };
        let certificates = Items::of(Items::of(named)?.next(tag::SEQUENCE)?)?.next(tag::SEQUENCE)?;
        let mut first = Items::of(Items::of(certificates)?.next(tag::SEQUENCE)?)?;
        let algorithm = match first.next_if(tag::SEQUENCE)? {
            Some(algorithm) => Items::of(algorithm)?.next(tag::OID)?,
            None => oid::SHA256,
        };
        let hash = first.next(tag::OCTETS)?;
        Ok(digest_of(algorithm, certificate).as_deref() == Some(hash))
    }
}

fn digest_of(algorithm: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        oid::SHA256 => Some(Sha256::digest(bytes).to_vec()),
        oid::SHA384 => Some(Sha384::digest(bytes).to_vec()),
        oid::SHA512 => Some(Sha512::digest(bytes).to_vec()),
        _ => None,
    }
}

/// What somebody is called, by the parts of a name.
fn common_name(name: &[u8]) -> Option<String> {
    let mut parts = Items::of(name).ok()?;
    while let Some((_, part, _)) = parts.any().ok()? {
        let mut pair = Items::of(Items::of(part).ok()?.next(tag::SEQUENCE).ok()?).ok()?;
        if pair.next(tag::OID).ok()? == oid::COMMON_NAME {
            let (_, text, _) = pair.any().ok()??;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
    }
    None
}

/// An item: its tag, its value, and the whole of it.
type Item<'a> = (u8, &'a [u8], &'a [u8]);

/// Items one behind the other.
struct Items<'a>(SliceReader<'a>);

impl<'a> Items<'a> {
    fn of(bytes: &'a [u8]) -> Result<Items<'a>, BadTimestamp> {
        Ok(Items(SliceReader::new(bytes)?))
    }

    /// Those within one item, behind which there is nothing.
    fn whole(bytes: &'a [u8], tag: u8) -> Result<Items<'a>, BadTimestamp> {
        let mut items = Items::of(bytes)?;
        let value = items.next(tag)?;
        if items.0.is_finished() { Items::of(value) } else { Err(BadTimestamp::Malformed("nothing behind it")) }
    }

    /// The next; none at the end.
    fn any(&mut self) -> Result<Option<Item<'a>>, BadTimestamp> {
        if self.0.is_finished() {
            return Ok(None);
        }
        let whole = self.0.tlv_bytes()?;
        let value = AnyRef::from_der(whole)?.value();
        Ok(whole.first().map(|tag| (*tag, value, whole)))
    }

    /// The value of the next, which has this tag.
    fn next(&mut self, tag: u8) -> Result<&'a [u8], BadTimestamp> {
        match self.any()? {
            Some((found, value, _)) if found == tag => Ok(value),
            _ => Err(BadTimestamp::Malformed("another field")),
        }
    }

    /// The same, where the next has this tag.
    fn next_if(&mut self, tag: u8) -> Result<Option<&'a [u8]>, BadTimestamp> {
        if self.0.peek_byte() == Some(tag) { self.next(tag).map(Some) } else { Ok(None) }
    }
}
