//! Clock: moves the wall clock of one process, and of no other.
//!
//! A program reads the time from a function that the kernel maps into each process (vdso(7)), also a program
//! that is linked statically. That function is replaced, in the memory of the process, by one that asks the
//! kernel and adds an offset to `CLOCK_REALTIME`. `CLOCK_MONOTONIC` stays, as when an administrator or NTP
//! sets the clock. Times that the kernel itself writes, as those of files, stay, too.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

/// The wall clock of a process.
#[derive(Debug)]
pub(crate) struct Clock {
    memory: File,
    /// Where the offset is in the memory.
    offset: u64,
}

/// `clock_gettime` for x86-64: the system call, and for clock 0 the eight bytes behind the code added to the
/// seconds.
const CODE: [u8; 26] = [
    0xb8, 228, 0, 0, 0, // mov eax, 228
    0x0f, 0x05, // syscall
    0x85, 0xff, // test edi, edi
    0x75, 14, // jne to the end
    0x85, 0xc0, // test eax, eax
    0x75, 10, // jne to the end
    0x48, 0x8b, 0x15, 4, 0, 0, 0, // mov rdx, [rip + 4]
    0x48, 0x01, 0x16, // add [rsi], rdx
    0xc3, // ret
];

impl Clock {
    /// The clock of the process `pid`, which must be stopped meanwhile.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            return Err(io::Error::other("the function is written for x86-64 only"));
        }
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let vdso = maps.lines().find(|line| line.ends_with("[vdso]"));
        let range = vdso.and_then(|line| line.split(' ').next()?.split_once('-'));
        let range = range.and_then(|(start, end)| {
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(start)?, number(end)?))
        });
        let (start, end) = range.ok_or_else(|| io::Error::other("the process has no vDSO"))?;
        let memory = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/{pid}/mem"))?;
        let mut image = vec![0; usize::try_from(end - start).unwrap_or_default()];
        memory.read_exact_at(&mut image, start)?;
        let function = symbol(&image, b"__vdso_clock_gettime")
            .ok_or_else(|| io::Error::other("the vDSO has no clock_gettime"))?;
        let function = start + function;
        let offset = function + CODE.len() as u64;
        memory.write_all_at(&0i64.to_ne_bytes(), offset)?;
        memory.write_all_at(&CODE, function)?;
        Ok(Self { memory, offset })
    }

    /// Sets the clock to the true time and so many seconds more.
    pub(crate) fn set(&self, seconds: i64) -> io::Result<()> {
        self.memory
            .write_all_at(&seconds.to_ne_bytes(), self.offset)
    }
}

/// The address of a symbol in a 64-bit ELF image, whose addresses begin at 0 (elf(5)).
fn symbol(image: &[u8], wanted: &[u8]) -> Option<u64> {
    const DYNAMIC: u64 = 2;
    const STRINGS: u64 = 5;
    const SYMBOLS: u64 = 6;
    let word = |at: u64, bytes: usize| {
        let at = usize::try_from(at).ok()?;
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(image.get(at..at + bytes)?);
        Some(u64::from_le_bytes(number))
    };
    let (headers, count) = (word(32, 8)?, word(56, 2)?);
    let dynamic = (0..count)
        .map(|index| headers + 56 * index)
        .find(|at| word(*at, 4) == Some(DYNAMIC))?;
    let dynamic = word(dynamic + 8, 8)?;
    let tag = |wanted| {
        let mut at = (0..64).map(|index| dynamic + 16 * index);
        at.find_map(|at| match word(at, 8)? {
            tag if tag == wanted => Some(word(at + 8, 8)),
            0 => Some(None),
            _ => None,
        })?
    };
    let (symbols, strings) = (tag(SYMBOLS)?, tag(STRINGS)?);
    // The strings follow the symbols.
    let mut symbols = (symbols..strings).step_by(24);
    symbols.find_map(|at| {
        let name = usize::try_from(strings + word(at, 4)?).ok()?;
        let is_it =
            image.get(name..)?.starts_with(wanted) && image.get(name + wanted.len()) == Some(&0);
        is_it.then(|| word(at + 8, 8))?
    })
}
