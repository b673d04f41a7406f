//! What rules look at of the register of models, and of the files of each place.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use audit::facts::{ModelCopy, Models};
use exchange::Time;
use vault::files::{Choice, files};
use vault::formats::look_at;
use vault::{Content, Copy, Head, Progress, Register};

use crate::failure::Failure;
use crate::machine;

/// Files of a place that are told, of each kind.
const FILES_MAX: usize = 20;
const DAY: i64 = 86_400_000_000_000;

/// The facts of the register in a data folder, and of weights below some folders that no register has; and how much there may not be looked at.
pub(super) fn facts(
    data: &Path,
    search: &[PathBuf],
    threads: usize,
    now: Time,
    progress: &Progress,
) -> Result<(Models, usize), Failure> {
    let register = Register::read(data).map_err(Failure::unreadable)?;
    let host = machine::name()?;
    let copies = register.copies().iter().map(|copy| of_copy(copy, &host, threads, now, progress));
    let searched = register.search(&host, search).map_err(Failure::unreadable)?;
    let unknown = &searched.found;
    let models = Models {
        copies: copies.collect::<Result<_, Failure>>()?,
        unknown: unknown.iter().map(|folder| folder.display().to_string()).collect(),
        searched: !search.is_empty(),
    };
    Ok((models, searched.unread.len()))
}

/// Bytes that are read for it; 0 where that cannot be told, which the facts say then.
pub(super) fn bytes(data: &Path) -> u64 {
    let (Ok(register), Ok(host)) = (Register::read(data), machine::name()) else { return 0 };
    register.copies().iter().map(|copy| copy.bytes(&host)).sum()
}

fn of_copy(copy: &Copy, host: &str, threads: usize, now: Time, progress: &Progress) -> Result<ModelCopy, Failure> {
    let state = copy.state(host, threads, progress).map_err(Failure::unreadable)?;
    let reviewed: Option<Time> = copy.reviewed.parse().ok();
    let mut facts = ModelCopy {
        id: copy.id.clone(),
        place: copy.place.clone(),
        in_clear: matches!(copy.content, Content::Clear { .. }),
        signed: copy.signed_by.is_some(),
        drift: state.is_drift().then(|| state.to_string()),
        reviewed_days: reviewed
            .map_or(u64::MAX, |at| u64::try_from(now.nanos().saturating_sub(at.nanos()) / DAY).unwrap_or_default()),
        ..ModelCopy::default()
    };
    let place = Path::new(&copy.place);
    if copy.host != host || !place.exists() {
        return Ok(facts);
    }
    match &copy.content {
        Content::Locked { .. } => facts.holders_needed = Head::read(place).ok().map(|head| head.needed),
        Content::Clear { left_out, .. } => {
            let left_out = left_out.iter().filter_map(|name| vault::Name::of(name)).collect();
            let choice = Choice { left_out, allow_links: true };
            let files = files(place, &choice).map_err(Failure::unreadable)?;
            let looks = look_at(&files).map_err(Failure::unreadable)?;
            let unlisted = looks.iter().filter(|(_, look)| !look.format.is_listed());
            facts.unsafe_files = unlisted
                .take(FILES_MAX)
                .map(|(file, look)| (file.name.to_string(), format!("{}: {}", look.format, look.why)))
                .collect();
            let weights = looks.iter().filter(|(_, look)| look.format.holds_weights());
            facts.open_files = weights
                .filter_map(|(file, _)| Some((file.name.to_string(), open_mode(&file.path)?)))
                .take(FILES_MAX)
                .collect();
        }
        Content::Elsewhere { .. } => {}
    }
    Ok(facts)
}

/// The mode of a file that others than its owner may read or write; none where they may not, or it cannot be told.
pub(super) fn open_mode(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o066 != 0).then(|| format!("{mode:04o}"))
}
