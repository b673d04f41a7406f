//! Pickles of protocols 0 and 1, which have no beginning of their own: what is there is read as Python's unpickler would, until it names something to be
//! called, or is no pickle.

/// Steps that are looked at.
const STEPS_MAX: usize = 10_000;

/// Whether unpickling would come to a name that is then called: a module, a name, and what is done with it.
pub(super) fn names_something(head: &[u8]) -> bool {
    let mut walk = Walk { rest: head, depths: vec![0] };
    for _ in 0..STEPS_MAX {
        match walk.step() {
            Some(Step::Names) => return true,
            Some(Step::On) => {}
            None => return false,
        }
    }
    false
}

enum Step {
    On,
    Names,
}

struct Walk<'h> {
    rest: &'h [u8],
    /// How much lies above each mark, the first below all of them.
    depths: Vec<usize>,
}

impl<'h> Walk<'h> {
    /// One step; none where it is no pickle, or has no more.
    fn step(&mut self) -> Option<Step> {
        let (code, rest) = self.rest.split_first()?;
        self.rest = rest;
        match code {
            b'(' => self.depths.push(0),
            b'N' | b']' | b'}' | b')' => self.push(),
            b'I' => self.with_line(|line| is_number(line) || matches!(line, b"00" | b"01"))?,
            b'L' => self.with_line(|line| is_number(line.strip_suffix(b"L").unwrap_or(line)))?,
            b'F' => self.with_line(|line| std::str::from_utf8(line).is_ok_and(|line| line.parse::<f64>().is_ok()))?,
            b'S' => self.with_line(is_quoted)?,
            b'V' | b'P' => self.with_line(|_| true)?,
            b'J' => self.with_bytes(4)?,
            b'K' => self.with_bytes(1)?,
            b'M' => self.with_bytes(2)?,
            b'G' => self.with_bytes(8)?,
            b'U' => {
                let (length, rest) = self.rest.split_first()?;
                self.rest = rest;
                self.with_bytes(usize::from(*length))?;
            }
            b'X' | b'T' => {
                let (length, rest) = self.rest.split_at_checked(4)?;
                self.rest = rest;
                self.with_bytes(usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?)?;
            }
            b'd' | b'l' | b't' | b'o' => {
                self.unmark()?;
                self.push();
            }
            b'e' | b'u' => {
                self.unmark()?;
                self.take(1)?;
                self.push();
            }
            b'1' => self.unmark()?,
            b'0' => self.take(1)?,
            b'2' => {
                self.take(1)?;
                self.push();
                self.push();
            }
            b'a' | b'R' | b'b' => {
                self.take(2)?;
                self.push();
            }
            b's' => {
                self.take(3)?;
                self.push();
            }
            b'Q' => {
                self.take(1)?;
                self.push();
            }
            b'p' => self.remembers(Walk::line_of_digits)?,
            b'q' => self.remembers(|walk| walk.skip(1))?,
            b'r' => self.remembers(|walk| walk.skip(4))?,
            b'g' => {
                self.line_of_digits()?;
                self.push();
            }
            b'h' => self.with_bytes(1)?,
            b'j' => self.with_bytes(4)?,
            b'c' => return self.names(),
            b'i' => {
                self.unmark()?;
                return self.names();
            }
            _ => return None,
        }
        Some(Step::On)
    }

    /// A module and a name, each on a line of its own, and something that is done with it. A list of words is no pickle.
    fn names(&mut self) -> Option<Step> {
        let (module, name) = (self.line()?, self.line()?);
        let next = self.rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        (is_name(module) && is_name(name) && follows(next)).then_some(Step::Names)
    }

    fn push(&mut self) {
        if let Some(depth) = self.depths.last_mut() {
            *depth += 1;
        }
    }

    fn take(&mut self, count: usize) -> Option<()> {
        let depth = self.depths.last_mut()?;
        *depth = depth.checked_sub(count)?;
        Some(())
    }

    fn unmark(&mut self) -> Option<()> {
        // The lowest is no mark.
        if self.depths.len() < 2 {
            return None;
        }
        self.depths.pop().map(drop)
    }

    fn line(&mut self) -> Option<&'h [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(line)
    }

    fn with_line(&mut self, is_right: impl Fn(&[u8]) -> bool) -> Option<()> {
        let line = self.line()?;
        self.push();
        is_right(line).then_some(())
    }

    fn line_of_digits(&mut self) -> Option<()> {
        let line = self.line()?;
        (!line.is_empty() && line.iter().all(u8::is_ascii_digit)).then_some(())
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn with_bytes(&mut self, count: usize) -> Option<()> {
        self.skip(count)?;
        self.push();
        Some(())
    }

    /// Something is kept under a number, and stays where it is.
    fn remembers(&mut self, number: impl Fn(&mut Walk<'h>) -> Option<()>) -> Option<()> {
        number(self)?;
        self.take(1)?;
        self.push();
        Some(())
    }
}

fn is_number(line: &[u8]) -> bool {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn is_quoted(line: &[u8]) -> bool {
    matches!(line, [b'\'', .., b'\''] | [b'"', .., b'"'])
}

fn is_name(line: &[u8]) -> bool {
    !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// What follows a name. Not every letter that has a meaning there: a list of words is no pickle.
fn follows(line: &[u8]) -> bool {
    match line {
        [b'(' | b')' | b']' | b'}' | 0x85..=0x87, ..] | [b'0' | b'N' | b'.'] | [b'S', b'\'' | b'"', ..] => true,
        [b'p', number @ ..] => !number.is_empty() && number.iter().all(u8::is_ascii_digit),
        [b'q', number, ..] => !number.is_ascii_graphic(),
        // An instance that was made, which is what is kept or returned.
        [b't' | b'R' | b'b' | b's' | b'a', ..] => line.len() < 4 && line.ends_with(b"."),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_called_is_found_wherever_it_stands() {
        for pickle in [
            &b"cos\nsystem\n(S'id'\ntR."[..],
            b"(cos\nsystem\nS'id'\no.",
            b"(dp0\nS'a'\ncos\nsystem\n(S'id'\ntRs.",
            b"(lp0\ncos\nsystem\n(S'id'\ntRa.",
            b"S'x'\n0cos\nsystem\n(S'id'\ntR.",
            b"I1\n0cos\nsystem\n(S'id'\ntR.",
            b"(S'id'\nios\nsystem\n.",
            b"(I1\nL2L\nF0.5\nVx\ntp0\n0cos\nsystem\n(S'id'\ntR.",
            b"K\x05M\x01\x02J\x01\x02\x03\x04U\x02abX\x01\0\0\0a(t0cos\nsystem\n)R.",
        ] {
            assert!(names_something(pickle), "{}", String::from_utf8_lossy(pickle));
        }
    }

    #[test]
    fn texts_and_data_name_nothing() {
        for text in [
            &b""[..],
            b"accept\nreject\nabove\n",
            b"cat\ndog\nmouse\n",
            b"class\nself\nnone\nNone\n",
            b"Nice\nday\n.\n",
            b"{\"a\": 1}\n",
            b"(see below)\ncode\nmore\n",
            b"(dp0\nS'a'\nI1\ns.",
            b"S'x'\n.",
        ] {
            assert!(!names_something(text), "{}", String::from_utf8_lossy(text));
        }
        assert!(!names_something(&b"N0".repeat(STEPS_MAX)));
    }
}
