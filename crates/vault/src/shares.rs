//! A secret, divided into shares of which so many give it back and fewer say nothing of it (Shamir, over GF(2^8)).

use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::limits::HOLDERS_MAX;

/// Bytes of a secret.
pub(crate) const SECRET_BYTES: usize = 32;

/// A secret that is wiped when it is done with.
pub type Secret = Zeroizing<[u8; SECRET_BYTES]>;

/// One share.
#[derive(Clone)]
pub struct Share {
    /// Which one, from 1 on.
    pub number: u8,
    /// What it is.
    pub bytes: Secret,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "share {}", self.number)
    }
}

/// Divides a secret into `count` shares of which `needed` give it back.
///
/// # Errors
///
/// When there would be none or too many, more are needed than there are, or no random bytes can be had.
pub(crate) fn divide(secret: &Secret, needed: usize, count: usize) -> Result<Vec<Share>, VaultError> {
    if needed == 0 || needed > count || count > HOLDERS_MAX {
        return Err(VaultError::Refused(format!(
            "expected 1 to {HOLDERS_MAX} holders, and one to all of them to be needed; there are {count}, and {needed} would be needed"
        )));
    }
    // Of the polynomials through the secret at 0 any one, so that fewer points fit every secret equally.
    let mut coefficients: Vec<Secret> = vec![secret.clone()];
    for _ in 1..needed {
        coefficients.push(random()?);
    }
    let share = |number: u8| {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        for coefficient in coefficients.iter().rev() {
            bytes.iter_mut().zip(coefficient.iter()).for_each(|(byte, next)| *byte = times(*byte, number) ^ next);
        }
        Share { number, bytes }
    };
    Ok((1..=count as u8).map(share).collect())
}

/// The secret that shares give back. Whether there are enough of them nobody can tell from it; what it opens tells.
///
/// # Errors
///
/// When there is none, or the same one twice.
pub(crate) fn join(shares: &[Share]) -> Result<Secret, VaultError> {
    let is_twice = |at: usize, share: &Share| shares.iter().take(at).any(|other| other.number == share.number);
    if shares.is_empty() || shares.iter().enumerate().any(|(at, share)| share.number == 0 || is_twice(at, share)) {
        return Err(VaultError::Refused("expected shares of different holders".to_owned()));
    }
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    for share in shares {
        // Lagrange's coefficient at 0.
        let others = shares.iter().filter(|other| other.number != share.number);
        let weight = others.fold(1, |weight, other| times(weight, over(other.number, other.number ^ share.number)));
        secret.iter_mut().zip(share.bytes.iter()).for_each(|(byte, part)| *byte ^= times(*part, weight));
    }
    Ok(secret)
}

/// A secret that nobody guesses.
///
/// # Errors
///
/// When no random bytes can be had.
pub(crate) fn random() -> Result<Secret, VaultError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| VaultError::Crypto)?;
    Ok(bytes)
}

/// The product in GF(2^8) with the polynomial of AES, in a time that does not depend on either.
fn times(mut one: u8, other: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= one & 0_u8.wrapping_sub((other >> bit) & 1);
        let carry = 0_u8.wrapping_sub(one >> 7);
        one = (one << 1) ^ (carry & 0x1b);
    }
    product
}

/// The quotient; of nothing by 0, which no two different numbers give.
fn over(one: u8, other: u8) -> u8 {
    // What is not 0 has the inverse x^254.
    let mut inverse = 1;
    for _ in 0..254 {
        inverse = times(inverse, other);
    }
    times(one, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_aes() {
        // FIPS 197, 4.2.
        assert_eq!((times(0x57, 0x83), times(0x57, 0x13)), (0xc1, 0xfe));
        for number in 1..=255 {
            assert_eq!(times(over(1, number), number), 1);
        }
    }

    #[test]
    fn so_many_shares_give_the_secret_and_fewer_another() {
        let secret = random().unwrap();
        for count in 1..=5 {
            for needed in 1..=count {
                let shares = divide(&secret, needed, count).unwrap();
                // Every choice of them.
                for chosen in 1_u32..1 << count {
                    let some: Vec<Share> =
                        (0..count).filter(|at| chosen >> at & 1 == 1).map(|at| shares[at].clone()).collect();
                    assert_eq!(*join(&some).unwrap() == *secret, some.len() >= needed, "{needed} of {count}: {some:?}");
                }
            }
        }
    }

    #[test]
    fn fewer_shares_fit_every_secret() {
        // With one of two that are needed each first byte of the secret is as likely.
        let share = Share { number: 1, bytes: Zeroizing::new([7; SECRET_BYTES]) };
        let mut seen = [false; 256];
        for byte in 0..=255 {
            let other = Share { number: 2, bytes: Zeroizing::new([byte; SECRET_BYTES]) };
            seen[usize::from(join(&[share.clone(), other]).unwrap()[0])] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn so_many_holders_and_no_more() {
        let secret = random().unwrap();
        assert_eq!(divide(&secret, 2, HOLDERS_MAX).unwrap().len(), HOLDERS_MAX);
        for (needed, count) in [(0, 1), (2, 1), (0, 0), (1, HOLDERS_MAX + 1)] {
            assert!(divide(&secret, needed, count).is_err(), "{needed} of {count}");
        }
        let share = divide(&secret, 1, 1).unwrap().remove(0);
        assert!(join(&[]).is_err() && join(&[share.clone(), share]).is_err());
    }
}
