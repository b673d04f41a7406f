//! What rules look at of the ledger.

use std::path::Path;

use audit::facts::Ledger;
use exchange::Time;
use ledger::{Folder, View};
use verify::trust::Trust;

use crate::failure::Failure;
use crate::ledgers;

/// Parts of 256 entries, from the end, in which it is looked for what was done last.
const PARTS_MAX: u64 = 400;
const PART: u64 = 256;

/// The facts of the ledger in a data folder.
pub(super) fn facts(data: &Path) -> Result<Ledger, Failure> {
    let folder = ledgers::folder(data);
    let mut facts = Ledger {
        folder: folder.display().to_string(),
        exists: ledgers::is_there(data),
        entries: 0,
        checked: 0,
        faults: Vec::new(),
        last: None,
        last_response: None,
        last_drill: None,
        last_check: None,
        last_failed_check: None,
        last_playbook: None,
    };
    if !facts.exists {
        // Whoever has its key had a ledger, which did not go by itself.
        if ledgers::key_file(data).exists() {
            facts.exists = true;
            facts.faults.push(format!("it is gone, and was signed with `{}`", ledgers::key_file(data).display()));
        }
        return Ok(facts);
    }
    // By the key that stands beside it: that shows whether it is of one piece.
    let checked = View::open(&folder).map_err(|error| error.to_string()).and_then(|view| {
        let trust = Trust::new(view.key().clone(), Vec::new(), verify::timestamp::Authorities::default());
        let trust = trust.map_err(|error| error.to_string())?;
        let checked = verify::ledger::check(&Folder::new(&folder), &trust).map_err(|error| error.to_string())?;
        Ok((view, checked))
    });
    let (view, checked) = match checked {
        Ok(both) => both,
        Err(fault) => {
            facts.faults.push(fault);
            return Ok(facts);
        }
    };
    let size = checked.checkpoint.tree().size;
    facts.faults.extend(ledgers::put_back(data, view.key(), checked.checkpoint.tree()));
    (facts.entries, facts.checked) = (size, checked.statements);
    let time = |text: &str| text.parse::<Time>().ok();
    for n in (0..size.div_ceil(PART)).rev().take(usize::try_from(PARTS_MAX).unwrap_or_default()) {
        for known in view.part(n, size).map_err(Failure::unreadable)? {
            let at = time(known.entry.at.as_str());
            facts.last = facts.last.max(at);
            match known.entry.kind.as_str() {
                "response" => facts.last_response = facts.last_response.max(at),
                "drill" => facts.last_drill = facts.last_drill.max(at),
                "drill_check" => facts.last_check = facts.last_check.max(at),
                "drill_check_failed" => facts.last_failed_check = facts.last_failed_check.max(at),
                "playbook_step" => facts.last_playbook = facts.last_playbook.max(at),
                _ => {}
            }
        }
        let has_checked = facts.last_check.is_some() || facts.last_failed_check.is_some();
        if facts.last_response.is_some() && facts.last_playbook.is_some() && has_checked {
            break;
        }
    }
    Ok(facts)
}
