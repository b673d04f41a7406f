//! What the commands about models have in common: what was typed of hashing and of formats, progress, what is put down, and what goes wrong.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use ::vault::files::{Choice, ModelFile, of_repositories};
use ::vault::formats::Look;
use ::vault::limits::{KEY_BYTES_MAX, SIGNATURE_BYTES_MAX};
use ::vault::{Algorithm, Format, Manifest, Method, Name, Progress, PublicKey, Signed, VaultError};
use report::words::{counted, printable};
use serde_json::Value;
use store::bounded::read_file;

use crate::cli::{HashAlgorithm, Hashing, VaultEntry};
use crate::command::seal;
use crate::failure::Failure;
use crate::progress;

/// Differences that are printed, one a line; how many more there are is told. `--json` has all.
pub(super) const DIFFERENCES_SHOWN: usize = 50;

/// Characters of a name that is printed.
pub(super) const NAME_CHARS: usize = 300;

/// Puts down what is about to be done with a model.
pub(super) fn put_down(entry: &VaultEntry, kind: &str, model: &str, detail: Value) -> Result<(), Failure> {
    let statement = seal::said(kind, &entry.by, Some(&entry.reason), format!("model:{model}"), detail);
    seal::append(&entry.data, statement).map(drop)
}

/// How hashes are made, as it was typed; `signature` is left out where it lies in the model.
pub(super) fn method(hashing: &Hashing, signature: Option<Name>) -> Result<Method, Failure> {
    let mut left_out = left_out(&hashing.leave_out)?;
    left_out.extend(signature);
    let algorithm = match hashing.hash {
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Blake3 => Algorithm::Blake3,
    };
    Ok(Method { algorithm, part_bytes: hashing.parts, choice: Choice { left_out, allow_links: hashing.links } })
}

/// What is left out of a model: what was typed, and what always is.
pub(super) fn left_out(typed: &[String]) -> Result<Vec<Name>, Failure> {
    let name = |text: &String| {
        Name::of(text.trim_end_matches('/')).ok_or_else(|| {
            Failure::usage(format!("--leave-out `{text}`: expected a path within the model, such as logs/a.txt"))
        })
    };
    let mut left_out = typed.iter().map(name).collect::<Result<Vec<Name>, _>>()?;
    left_out.extend(of_repositories());
    Ok(left_out)
}

/// Refuses files that may run something when they are loaded, but those of formats that are allowed.
pub(super) fn check_formats(files: &[ModelFile], allowed: &[Format]) -> Result<(), Failure> {
    let looks = ::vault::formats::look_at(files).map_err(failed)?;
    let refused: Vec<_> = looks.iter().filter(|(_, look)| !is_taken(look, allowed)).collect();
    let Some((_, first)) = refused.first() else { return Ok(()) };
    let mut told = format!("{} of formats that are not taken:", counted(refused.len() as u64, "file"));
    for (file, look) in refused.iter().take(DIFFERENCES_SHOWN) {
        let _ = write!(
            told,
            "\n  {}: {}: {}",
            printable(&file.path.display().to_string(), NAME_CHARS),
            look.format,
            look.why
        );
    }
    if refused.len() > DIFFERENCES_SHOWN {
        let _ =
            write!(told, "\n  and {} more; `stillwatch vault formats` names all", refused.len() - DIFFERENCES_SHOWN);
    }
    let _ =
        write!(told, "\nConvert them, leave them out (--leave-out), or take them (--allow-format {}).", first.format);
    Err(Failure::bad_input(told))
}

pub(super) fn is_taken(look: &Look, allowed: &[Format]) -> bool {
    look.format.is_listed() || allowed.contains(&look.format)
}

/// The manifest of files, with progress.
pub(super) fn hashed(
    model: &Path,
    files: &[ModelFile],
    method: &Method,
    threads: Option<NonZeroUsize>,
) -> Result<Manifest, Failure> {
    let threads = threads_of(threads);
    working(files, |progress| Manifest::of_files(model, files, method, threads, progress))
}

/// Threads that hash, as it was typed.
pub(super) fn threads_of(typed: Option<NonZeroUsize>) -> usize {
    typed.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// Does something with all bytes of files, while it is drawn how far it is.
pub(super) fn working<T>(
    files: &[ModelFile],
    work: impl FnOnce(&Progress) -> Result<T, VaultError>,
) -> Result<T, Failure> {
    with_bar(files.iter().map(|file| file.bytes).sum(), work)
}

/// Does something with so many bytes, while it is drawn how far it is.
pub(super) fn with_bar<T>(bytes: u64, work: impl FnOnce(&Progress) -> Result<T, VaultError>) -> Result<T, Failure> {
    progress::of_models(bytes, work).map_err(failed)
}

pub(super) fn unread(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::io(format!("`{}` cannot be read", path.display()), error)
}

pub(super) fn failed(error: VaultError) -> Failure {
    match error {
        VaultError::Io { .. } => Failure::service(error),
        error => Failure::bad_input(error),
    }
}

/// What a signature says, and the key by which it holds.
pub(super) fn signed(signature: &Path, key: &Path) -> Result<(Signed, PublicKey), Failure> {
    let told = |path: &Path, error: VaultError| Failure::bad_input(format!("`{}`: {error}", path.display()));
    let pem = read_file(key, KEY_BYTES_MAX).map_err(unread(key))?;
    let public = PublicKey::of_pem(&pem).map_err(|error| told(key, error))?;
    let text = read_file(signature, SIGNATURE_BYTES_MAX).map_err(unread(signature))?;
    let signed = Signed::read(&text, &public).map_err(|error| told(signature, error))?;
    Ok((signed, public))
}
