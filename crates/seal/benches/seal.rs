//! How fast records are sealed and opened, by their length, on one core; beside AES-256-GCM alone in the same run. `./bench seal` runs it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench: it measures time, and ends where it cannot"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use seal::{AccountKey, Day, EvidenceKey, Keys, Sealer};
use verify::sealed::{Sealed, split};

/// Each measurement goes on for so long at least.
const LEAST: Duration = Duration::from_secs(1);
const CLEAR: &[u8] = br#""id":"ex_1","time":"2026-03-01T09:12:30Z","account":"acc_1""#;

fn main() {
    let key = AccountKey::random().unwrap();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    println!("{:>9}  {:>16} {:>16} {:>16} {:>16}", "bytes", "AES-256-GCM", "seal", "open", "line and back");
    for bytes in [1 << 10, 4 << 10, 64 << 10, 1 << 20, 16 << 20] {
        let text = vec![b'x'; bytes];
        let mut buffer = text.clone();
        let plain = rate(bytes, || {
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let _ = black_box(cipher.seal_in_place_separate_tag(nonce, Aad::from(CLEAR), &mut buffer).unwrap());
        });
        let close = |text: Vec<u8>| {
            let mut salt = [0; 32];
            aws_lc_rs::rand::fill(&mut salt).unwrap();
            Sealed::close("0123456789abcdef", salt, &key.record(&salt).unwrap(), CLEAR, text).unwrap()
        };
        // What is sealed is taken back, so that no copy is measured.
        let mut held = Some(text.clone());
        let seal = rate(bytes, || {
            let mut sealed = close(held.take().unwrap());
            sealed.text.truncate(bytes);
            held = Some(sealed.text);
        });
        let sealed = close(text.clone());
        let record = key.record(&sealed.salt).unwrap();
        let open = rate(bytes, || drop(black_box(sealed.open(&record, CLEAR).unwrap())));
        let mut line = Vec::new();
        let both = rate(bytes, || {
            line.clear();
            sealed.write_line(CLEAR, &mut line);
            let (clear, read) = split(&line).unwrap();
            black_box(read.open(&record, clear).unwrap());
        });
        println!("{bytes:>9}  {plain:>11.2} GB/s {seal:>11.2} GB/s {open:>11.2} GB/s {both:>11.2} GB/s");
    }
    accounts();
}

/// What the first record of an account and day costs, and each further one of 4 KB.
fn accounts() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = EvidenceKey::random().unwrap();
    let mut sealer = Sealer::new(evidence.public().clone(), Keys::open(folder.path()).unwrap());
    let day = Day::of("2026-03-01").unwrap();
    let mut n = 0_u64;
    let mut line = Vec::new();
    let mut each = |name: &str, is_new: bool| {
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < LEAST {
            n += u64::from(is_new);
            line.clear();
            sealer.seal(&format!("acc_{n}"), &day, CLEAR, vec![b'x'; 4 << 10], &mut line).unwrap();
            count += 1;
        }
        println!("{name}: {:.1} us", began.elapsed().as_secs_f64() * 1e6 / f64::from(count));
    };
    each("the first record of an account on a day, 4 KB", true);
    each("each further one", false);
}

/// How many bytes a second, in thousand millions.
fn rate(bytes: usize, mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < LEAST {
        work();
        count += 1;
    }
    bytes as f64 * count as f64 / began.elapsed().as_secs_f64() / 1e9
}
