//! `stillwatch vault`: what the weights of a model consist of, signed and checked; models that lie locked.
//!
//! Promises that nothing is locked, released or read before the ledger says so.

mod common;
mod inventory;

use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use ::seal::Token;
use ::vault::files::{Choice, files};
use ::vault::limits::KEY_BYTES_MAX;
use ::vault::locked;
#[cfg(target_os = "linux")]
use ::vault::memory::{self, InMemory};
use ::vault::{
    FileKey, Format, Head, Holder, HolderKey, Locked, Name, Release, Signs, TokenKey, VaultError, signature,
};
use exchange::Time;
use report::words::{counted, printable};
use serde_json::{Value, json};
use store::bounded::{read_file, read_text};
use store::whole;
use zeroize::Zeroizing;

use self::common::{
    DIFFERENCES_SHOWN, NAME_CHARS, check_formats, failed, hashed, is_taken, left_out, method, put_down, signed, unread,
    with_bar, working,
};
use super::seal;
use crate::cli::{
    Hashing, LockedBy, VaultCat, VaultCommand, VaultLock, VaultLs, VaultOpen, VaultOpened, VaultRelease, VaultSign,
    VaultVerify,
};
use crate::failure::{Exit, Failure};
use crate::machine;
use crate::output::{OutputFile, print, print_json};

/// Bytes of a locked file that are read at once.
const CAT_BYTES: usize = 1 << 20;
/// An hour, in nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

/// Does what was asked.
pub(crate) fn run(command: &VaultCommand) -> Result<Exit, Failure> {
    match command {
        VaultCommand::Hash { model, hashing, json } => hash(model, hashing, *json),
        VaultCommand::Formats { model, leave_out, links, allowed, json } => {
            let choice = Choice { left_out: left_out(leave_out)?, allow_links: *links };
            formats(model, &choice, &allowed.allow_format, *json)
        }
        VaultCommand::Sign(args) => sign(args),
        VaultCommand::Verify(args) => verify(args),
        VaultCommand::Key { out, locked } => make_key(out, locked),
        VaultCommand::Lock(args) => lock(args),
        VaultCommand::Ls(args) => list(args),
        VaultCommand::Release(args) => release(args),
        VaultCommand::Cat(args) => cat(args),
        VaultCommand::Open(args) => serve(args),
        VaultCommand::Register(args) => inventory::register(args),
        VaultCommand::Inventory(args) => inventory::show(args),
        VaultCommand::Review { copies, entry } => inventory::review(copies, entry),
        VaultCommand::Unregister { copy, entry } => inventory::unregister(copy, entry),
    }
}

fn hash(model: &Path, hashing: &Hashing, json: bool) -> Result<Exit, Failure> {
    let method = method(hashing, None)?;
    let files = files(model, &method.choice).map_err(failed)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    if json {
        let files = manifest.digests();
        let files = files.map(|(key, digest)| json!({"name": key.to_string(), "digest": digest.to_string()}));
        let files: Vec<Value> = files.collect();
        return print_json(&json!({
            "model": manifest.model, "algorithm": method.algorithm.name(), "digest": manifest.digest().to_string(), "files": files,
        }));
    }
    let mut text = String::new();
    for (key, digest) in manifest.digests() {
        let _ = writeln!(text, "{digest}  {}", printable(&key.to_string(), NAME_CHARS));
    }
    let _ = writeln!(text, "{}  all of {}", manifest.digest(), printable(&manifest.model, NAME_CHARS));
    print(&text).map(|()| Exit::Nothing)
}

fn sign(args: &VaultSign) -> Result<Exit, Failure> {
    let VaultSign { model, out, hashing, allowed, public_out, .. } = args;
    let key = signing_key(args)?;
    let method = method(hashing, signature::within(model, out))?;
    let files = files(model, &method.choice).map_err(failed)?;
    if files.is_empty() {
        return Err(Failure::bad_input(format!("`{}` has no file, and nothing to sign", model.display())));
    }
    check_formats(&files, &allowed.allow_format)?;
    // Begun before the hours of hashing, and after the files were listed, among which it may lie.
    let file = OutputFile::create(out)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    if let Some((by, reason)) = args.by.as_ref().zip(args.reason.as_ref()) {
        let detail = json!({"digest": manifest.digest().to_string(), "files": files.len(), "key": key.public().id()});
        let subject = format!("model:{}", manifest.model);
        seal::append(&args.data, seal::said("signature", by, Some(reason), subject, detail))?;
    }
    file.write_whole(signature::sign(&manifest, key.as_ref()).map_err(failed)?.as_bytes())?;
    if let Some(path) = public_out {
        whole::write_for_all(path, key.public().to_pem().as_bytes())
            .map_err(|error| Failure::unwritable(path, &error))?;
    }
    print(&format!(
        "Signed {} of {} by the key {}.\nWrote {}. Whoever has the public half checks it by `stillwatch vault verify`.\n",
        counted(files.len() as u64, "file"),
        printable(&manifest.model, NAME_CHARS),
        key.public().id(),
        out.display(),
    ))?;
    Ok(Exit::Nothing)
}

/// The key that signs: in a file, or on a token.
fn signing_key(args: &VaultSign) -> Result<Box<dyn Signs>, Failure> {
    let VaultSign { key, pkcs11, pin_file, token, token_key, .. } = args;
    match (key, pkcs11, pin_file, token_key) {
        (Some(key), ..) => {
            let pem = Zeroizing::new(read_file(key, KEY_BYTES_MAX).map_err(unread(key))?);
            let told = |error| Failure::bad_input(format!("`{}`: {error}", key.display()));
            Ok(Box::new(FileKey::of_pem(&pem).map_err(told)?))
        }
        (None, Some(module), Some(pin_file), Some(label)) => {
            let token = Token {
                module: module.clone(),
                token: token.clone(),
                label: label.clone(),
                pin: seal::passphrase(pin_file)?,
            };
            Ok(Box::new(TokenKey::of(token).map_err(failed)?))
        }
        _ => Err(Failure::usage("expected --key, or --pkcs11 with --pin-file and --token-key")),
    }
}

fn verify(args: &VaultVerify) -> Result<Exit, Failure> {
    let VaultVerify { model, signature, key, threads, json } = args;
    let (signed, public) = signed(signature, key)?;
    let method = signed.method_with(model, signature);
    let files = files(model, &method.choice).map_err(failed)?;
    let now = hashed(model, &files, &method, *threads)?;
    let differences = signed.manifest().differences(&now);
    if *json {
        let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
        print_json(&json!({
            "model": signed.manifest().model, "key": public.id(), "digest": now.digest().to_string(),
            "files": files.len(), "is_signed": differences.is_empty(), "differences": told,
        }))?;
    }
    if differences.is_empty() {
        if !*json {
            print(&format!(
                "{} is as it was signed by the key {}: {}.\n",
                printable(&model.display().to_string(), NAME_CHARS),
                public.id(),
                counted(files.len() as u64, "file")
            ))?;
        }
        return Ok(Exit::Nothing);
    }
    let count = differences.len() as u64;
    let mut told = format!("`{}` is not what was signed: {}", model.display(), counted(count, "difference"));
    for difference in differences.iter().take(DIFFERENCES_SHOWN) {
        let _ = write!(told, "\n  {}", printable(&difference.to_string(), NAME_CHARS));
    }
    if differences.len() > DIFFERENCES_SHOWN {
        let _ = write!(told, "\n  and {} more; `--json` names all", differences.len() - DIFFERENCES_SHOWN);
    }
    Err(Failure::bad_input(told))
}

fn make_key(out: &Path, locked: &LockedBy) -> Result<Exit, Failure> {
    let public = seal::new_public_of(out)?;
    let holder = Holder::random().map_err(failed)?;
    holder.write(out, &seal::lock(locked)?).map_err(failed)?;
    let text = format!("{}\n", holder.public());
    whole::write_for_all(&public, text.as_bytes()).map_err(|error| Failure::unwritable(&public, &error))?;
    print(&format!(
        "Wrote the key {} to {}, which stays with its holder, and its public half to {}.\n",
        holder.public().id(),
        out.display(),
        public.display()
    ))?;
    Ok(Exit::Nothing)
}

fn lock(args: &VaultLock) -> Result<Exit, Failure> {
    let VaultLock { model, out, holder, needed, hashing, allowed, entry } = args;
    if hashing.parts.is_some() {
        return Err(Failure::usage("--parts: files are locked whole, and hashed so"));
    }
    // Told before hours of hashing.
    if out.exists() {
        return Err(Failure::usage(format!("`{}` is there already; name another folder by --out", out.display())));
    }
    let holders = holder.iter().map(|path| public_half(path)).collect::<Result<Vec<HolderKey>, Failure>>()?;
    let method = method(hashing, None)?;
    let files = files(model, &method.choice).map_err(failed)?;
    check_formats(&files, &allowed.allow_format)?;
    let manifest = hashed(model, &files, &method, hashing.threads)?;
    let ids: Vec<String> = holders.iter().map(HolderKey::id).collect();
    let detail =
        json!({"digest": manifest.digest().to_string(), "files": files.len(), "holders": ids, "needed": needed});
    put_down(entry, "lock", &manifest.model, detail)?;
    let head = working(&files, |progress| locked::lock(&files, &manifest, &holders, *needed, out, progress))?;
    print(&format!(
        "Locked {} of {} in {}, as {}. To read it takes {} of {}.\nThe model itself still lies in clear in {}.\n",
        counted(files.len() as u64, "file"),
        printable(&manifest.model, NAME_CHARS),
        out.display(),
        head.id,
        needed,
        counted(ids.len() as u64, "holder"),
        model.display(),
    ))?;
    Ok(Exit::Nothing)
}

fn list(args: &VaultLs) -> Result<Exit, Failure> {
    let head = Head::read(&args.folder).map_err(failed)?;
    let holders: Vec<&str> = head.shares.iter().map(|share| share.holder.as_str()).collect();
    if args.json {
        return print_json(&json!({"id": head.id, "model": head.model, "needed": head.needed, "holders": holders}));
    }
    print(&format!(
        "{}  {}\nTo read it takes {} of these: {}\n",
        printable(&head.id, NAME_CHARS),
        printable(&head.model, NAME_CHARS),
        counted(head.needed as u64, "holder"),
        printable(&holders.join(", "), NAME_CHARS)
    ))?;
    Ok(Exit::Nothing)
}

fn release(args: &VaultRelease) -> Result<Exit, Failure> {
    let VaultRelease { folder, key, locked, to, hours, out, entry } = args;
    let head = Head::read(folder).map_err(failed)?;
    let holder = Holder::read(key, &seal::lock(locked)?).map_err(failed)?;
    let to = public_half(to)?;
    let until = Time::from_nanos(seal::now()?.nanos().saturating_add(i64::from(*hours) * HOUR)).to_string();
    let share = head.release(&holder, &to, &until).map_err(failed)?;
    let text = serde_json::to_vec_pretty(&share).map_err(Failure::unreadable)?;
    let file = OutputFile::create(out)?;
    let detail = json!({"holder": holder.public().id(), "to": to.id(), "until": until});
    put_down(entry, "release", &head.id, detail)?;
    file.write_whole(&text)?;
    print(&format!(
        "Wrote the share of {} to {}, for the key {} until {until}.\n",
        holder.public().id(),
        out.display(),
        to.id()
    ))
    .map(|()| Exit::Nothing)
}

fn cat(args: &VaultCat) -> Result<Exit, Failure> {
    let VaultCat { folder, name, from, bytes, opened, entry } = args;
    let name = Name::of(name).ok_or_else(|| Failure::usage(format!("`{name}` is no name of a file within a model")))?;
    let head = Head::read(folder).map_err(failed)?;
    let model = open(folder, &head, opened)?;
    let mut file = model.read(&name).map_err(failed)?;
    let detail = json!({"file": name.to_string(), "from": from, "bytes": bytes});
    put_down(entry, "opening", &head.id, detail)?;
    let unread = |error: io::Error| Failure::bad_input(format!("`{name}` of {}: {error}", folder.display()));
    file.seek(SeekFrom::Start(*from)).map_err(unread)?;
    let mut left = bytes.unwrap_or(u64::MAX);
    let mut buffer = Zeroizing::new(vec![0; CAT_BYTES]);
    let mut output = io::stdout().lock();
    let unwritten = |error: io::Error| Failure::unwritable(Path::new("standard output"), &error);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CAT_BYTES).min(CAT_BYTES);
        let read = file.read(buffer.get_mut(..most).unwrap_or_default()).map_err(unread)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        output.write_all(part).map_err(unwritten)?;
        left -= read as u64;
    }
    output.flush().map_err(unwritten)?;
    Ok(Exit::Nothing)
}

#[cfg(not(target_os = "linux"))]
fn serve(_: &VaultOpen) -> Result<Exit, Failure> {
    Err(Failure::usage("files in memory are to be had on Linux only; `stillwatch vault cat` writes to a pipe anywhere"))
}

/// Decrypts a model into memory and becomes the program that reads it.
#[cfg(target_os = "linux")]
fn serve(args: &VaultOpen) -> Result<Exit, Failure> {
    let VaultOpen { folder, at, allow_swap, opened, entry, program } = args;
    let Some((name, rest)) = program.split_first() else { return Err(Failure::usage("expected a program")) };
    // Nothing that fails comes after the ledger says that the model was opened, but what only trying shows.
    memory::unlink(at).map_err(failed)?;
    let swaps = machine::swaps().map_err(unread(Path::new("/proc/swaps")))?;
    if let Some(place) = swaps.first()
        && !allow_swap
    {
        return Err(Failure::usage(format!(
            "the system may write memory to `{place}`, and with it the model in clear; turn swap off (`swapoff -a`), or go on with --allow-swap"
        )));
    }
    let head = Head::read(folder).map_err(failed)?;
    let model = open(folder, &head, opened)?;
    let needed: u64 = model.files().map(|(_, bytes, _)| bytes).sum();
    if let Some(free) = machine::free_memory().map_err(unread(Path::new("/proc/meminfo")))?
        && needed > free
    {
        return Err(Failure::bad_input(format!(
            "the model has {needed} bytes, and {free} bytes of memory are free; `stillwatch vault cat` reads it in parts"
        )));
    }
    let detail = json!({"program": name.to_string_lossy(), "files": model.files().count(), "bytes": needed});
    put_down(entry, "opening", &head.id, detail)?;
    let files = with_bar(needed, |progress| InMemory::of(&model, progress))?;
    files.link(at).map_err(failed)?;
    // What it decrypts it by is gone before anybody else's code runs, and no dump of its memory is written.
    drop(model);
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none)
        .map_err(|error| Failure::io("dumps of memory cannot be turned off", io::Error::from(error)))?;
    let error = std::os::unix::process::CommandExt::exec(std::process::Command::new(name).args(rest));
    memory::unlink(at).map_err(failed)?;
    Err(Failure::io(format!("`{}` cannot be run", name.to_string_lossy()), error))
}

/// A locked model, opened by the shares that were released to a key, and by its own.
fn open(folder: &Path, head: &Head, opened: &VaultOpened) -> Result<Locked, Failure> {
    let own = Holder::read(&opened.key, &seal::lock(&opened.locked)?).map_err(failed)?;
    let mut shares = Vec::new();
    if head.shares.iter().any(|share| share.holder == own.public().id()) {
        shares.push(head.share(&own).map_err(failed)?);
    }
    let now = seal::now()?;
    for path in &opened.share {
        let told = |error: VaultError| Failure::bad_input(format!("`{}`: {error}", path.display()));
        let release = Release::of(&read_file(path, KEY_BYTES_MAX).map_err(unread(path))?).map_err(told)?;
        let share = release.share(head, &own).map_err(told)?;
        // Read once it is known that nobody changed it.
        if release.until.parse::<Time>().map_or(true, |until| until <= now) {
            let over = format!("`{}` held until {}; ask its holder for another", path.display(), release.until);
            return Err(Failure::bad_input(over));
        }
        shares.push(share);
    }
    Locked::open(folder, head, &shares).map_err(failed)
}

fn public_half(path: &Path) -> Result<HolderKey, Failure> {
    let text = read_text(path, KEY_BYTES_MAX).map_err(unread(path))?;
    text.parse().map_err(|error: VaultError| Failure::bad_input(format!("`{}`: {error}", path.display())))
}

fn formats(model: &Path, choice: &Choice, allowed: &[Format], json: bool) -> Result<Exit, Failure> {
    let files = files(model, choice).map_err(failed)?;
    let looks = ::vault::formats::look_at(&files).map_err(failed)?;
    let count = looks.iter().filter(|(_, look)| !is_taken(look, allowed)).count();
    if json {
        let each = looks.iter().map(|(file, look)| {
            json!({
                "name": file.name.to_string(), "bytes": file.bytes, "format": look.format.name(),
                "is_taken": is_taken(look, allowed), "why": look.why,
            })
        });
        print_json(&json!({"files": each.collect::<Vec<Value>>(), "not_taken": count}))?;
    } else {
        let mut text = String::new();
        for (file, look) in &looks {
            let name = printable(&file.name.to_string(), NAME_CHARS);
            let _ = match look.why.as_str() {
                "" => writeln!(text, "{:<13}  {name}", look.format.name()),
                why => writeln!(text, "{:<13}  {name}: {why}", look.format.name()),
            };
        }
        print(&text)?;
    }
    if count > 0 {
        let told =
            format!("{} of formats that are not taken; convert them, or leave them out", counted(count as u64, "file"));
        return Err(Failure::bad_input(told));
    }
    Ok(Exit::Nothing)
}
