//! How fast models are hashed, encrypted and decrypted, beside AES-256-GCM alone in the same run; without what a disk takes. `./bench vault` runs it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench: it measures time, and ends where it cannot"
)]

use std::fs;
use std::hint::black_box;
use std::io::{Cursor, Read, Write};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use fast_floe::io::EncryptWriter;
use fast_floe::random_access::Reader;
use fast_floe::{Key, Parameters};
use vault::digest::{Algorithm, Progress};
use vault::files::{Choice, files};
use vault::holder::Holder;
use vault::locked::{Locked, lock};
use vault::manifest::{Manifest, Method};

/// Bytes of the model.
const BYTES: usize = 512 << 20;
/// As the vault has it.
const SEGMENT_BYTES: usize = 64 * 1024;
/// How often each is measured; the median is told.
const TIMES: usize = 5;
/// Where files are in memory, so that no disk is measured.
const MEMORY: &str = "/dev/shm";

fn main() {
    let model: Vec<u8> = (0..BYTES).map(|at| u8::try_from((at * 31 + at / 4093) % 251).unwrap()).collect();

    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut buffer = model.clone();
    tell("AES-256-GCM alone, in place", || {
        for segment in buffer.chunks_mut(SEGMENT_BYTES) {
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let _ = black_box(cipher.seal_in_place_separate_tag(nonce, Aad::empty(), segment).unwrap());
        }
    });
    drop(buffer);
    let key = Key::from_bytes([7; 32]);
    let parameters = Parameters::with_segment_length(u32::try_from(SEGMENT_BYTES).unwrap()).unwrap();
    tell("FLOE, encrypted", || {
        let mut to = EncryptWriter::new(std::io::sink(), &key, b"", parameters).unwrap();
        model.chunks(1 << 20).for_each(|chunk| to.write_all(chunk).unwrap());
        let _ = to.finish().unwrap();
    });
    let mut sealed = EncryptWriter::new(Vec::with_capacity(BYTES + (BYTES >> 8)), &key, b"", parameters).unwrap();
    sealed.write_all(&model).unwrap();
    let sealed = sealed.finish().unwrap();
    let mut chunk = vec![0; 1 << 20];
    tell("FLOE, decrypted", || {
        let mut from = Reader::new_with_parameters(Cursor::new(&sealed), &key, b"", parameters).unwrap();
        while from.read(&mut chunk).unwrap() > 0 {
            black_box(&chunk);
        }
    });
    drop(sealed);

    let parent = Path::new(MEMORY);
    let folder = if parent.is_dir() { tempfile::tempdir_in(parent) } else { tempfile::tempdir() }.unwrap();
    let place = folder.path().join("model.bin");
    fs::write(&place, &model).unwrap();
    drop(model);
    let choice = || Choice { left_out: Vec::new(), allow_links: false };
    let method = |algorithm, part_bytes| Method { algorithm, part_bytes, choice: choice() };
    for (name, algorithm, part_bytes, threads) in [
        ("SHA-256, one thread", Algorithm::Sha256, None, 1),
        ("SHA-256 in parts, two threads", Algorithm::Sha256, NonZeroU64::new(64 << 20), 2),
        ("BLAKE3, one thread", Algorithm::Blake3, None, 1),
        ("BLAKE3 in parts, two threads", Algorithm::Blake3, NonZeroU64::new(64 << 20), 2),
    ] {
        let method = method(algorithm, part_bytes);
        tell(name, || drop(black_box(Manifest::of(&place, &method, threads, &Progress::default()).unwrap())));
    }
    let manifest = Manifest::of(&place, &method(Algorithm::Blake3, None), 2, &Progress::default()).unwrap();
    let (files, holder) = (files(&place, &choice()).unwrap(), Holder::random().unwrap());
    let locked = folder.path().join("locked");
    tell("locked: read, hashed by BLAKE3, encrypted, written", || {
        if locked.exists() {
            fs::remove_dir_all(&locked).unwrap();
        }
        let holders = [holder.public().clone()];
        drop(lock(&files, &manifest, &holders, 1, &locked, &Progress::default()).unwrap());
    });
    let head = vault::locked::Head::read(&locked).unwrap();
    let opened = Locked::open(&locked, &head, &[head.share(&holder).unwrap()]).unwrap();
    let name = opened.files().next().unwrap().0.clone();
    tell("read from a locked model", || {
        let mut from = opened.read(&name).unwrap();
        while from.read(&mut chunk).unwrap() > 0 {
            black_box(&chunk);
        }
    });
}

/// Does it several times over all of the model, and tells how fast the median was.
fn tell(name: &str, mut work: impl FnMut()) {
    let mut took: Vec<f64> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64()
        })
        .collect();
    took.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "half a gigabyte")]
    let rate = BYTES as f64 / took.get(TIMES / 2).copied().unwrap() / 1e9;
    println!("{name:<52} {rate:>6.2} GB/s");
}
