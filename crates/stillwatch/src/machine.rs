//! What the system says of this machine: its name, its memory, and where that may be written to a disk.

use std::io;
use std::path::Path;

use store::bounded::read_text;

use crate::failure::Failure;

/// Bytes of what the system says.
const SYSTEM_BYTES_MAX: usize = 16 << 20;

/// The name of this machine.
pub(crate) fn name() -> Result<String, Failure> {
    let name = rustix::system::uname().nodename().to_str().map(str::to_owned);
    name.map_err(|_| Failure::service("this machine has a name that is no UTF-8"))
}

/// What the system says in one of its files.
pub(crate) fn told(path: &str) -> io::Result<String> {
    read_text(Path::new(path), SYSTEM_BYTES_MAX)
}

/// Places on a disk that memory may be written to.
pub(crate) fn swaps() -> io::Result<Vec<String>> {
    Ok(swaps_in(&told("/proc/swaps")?).into_iter().map(str::to_owned).collect())
}

/// Bytes of memory that are free for programs, where the system tells.
pub(crate) fn free_memory() -> io::Result<Option<u64>> {
    Ok(available_in(&told("/proc/meminfo")?))
}

/// Places where pages of memory are written to a disk, by what the system says of them (`/proc/swaps`). Compressed memory is none.
fn swaps_in(text: &str) -> Vec<&str> {
    let places = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    places.filter(|place| !place.starts_with("/dev/zram")).collect()
}

/// Bytes of memory that are free for programs, by what the system says (`/proc/meminfo`).
fn available_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_on_a_disk_is_told_and_compressed_memory_is_not() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(swaps_in(head), Vec::<&str>::new());
        let both = format!("{head}/dev/zram0 partition 8388604 0 100\n/swapfile file 2097148 0 -2\n");
        assert_eq!(swaps_in(&both), ["/swapfile"]);
    }

    #[test]
    fn free_memory_is_read_in_bytes() {
        assert_eq!(available_in("MemTotal:       32768 kB\nMemAvailable:    1024 kB\n"), Some(1_048_576));
        for text in ["", "MemAvailable: 1024", "MemAvailable: x kB", "MemAvailable: 18446744073709551615 kB"] {
            assert_eq!(available_in(text), None, "{text}");
        }
    }
}
