//! Names of numbers and bits, as data of this crate.
//!
//! Values are those of the *dumped* machine, never of the host that reads the image: where architectures differ there is
//! a table for each and a function that picks by [`core_entry.mtype`](crate::messages::CoreEntry::mtype).
//! Unknown values print as numbers. Sources: `criu/images/*.proto`, `criu/include/image.h`, Linux `include/uapi`.

mod files;
mod memory;
mod process;
mod sockets;
mod system;

pub use files::*;
pub use memory::*;
pub use process::*;
pub use sockets::*;
pub use system::*;

use std::fmt;

/// Names of the values of one enumeration.
#[derive(Debug)]
pub struct NumberNames {
    /// What is named, e.g. `fd type`.
    pub what: &'static str,
    /// Value and name, in ascending value.
    pub values: &'static [(i64, &'static str)],
}

impl NumberNames {
    /// The name of a value, if it has one.
    #[must_use]
    pub fn get(&self, value: i64) -> Option<&'static str> {
        self.values.iter().find(|(number, _)| *number == value).map(|(_, name)| *name)
    }

    /// The value of a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<i64> {
        self.values.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
    }

    /// The name, or the number where there is none.
    #[must_use]
    pub fn text(&self, value: i64) -> String {
        self.get(value).map_or_else(|| value.to_string(), str::to_owned)
    }
}

/// Names of the bits of one set, with room for a field that is an enumeration inside the set (`O_ACCMODE`).
#[derive(Debug)]
pub struct FlagNames {
    /// What is named, e.g. `open flags`.
    pub what: &'static str,
    /// Mask and names of the enumerated part, where there is one.
    pub choice: Option<(u64, &'static NumberNames)>,
    /// Bits and their names. A name of several bits stands before the names of its parts.
    pub bits: &'static [(u64, &'static str)],
    /// Text of a value without any bit or named choice.
    pub zero: &'static str,
}

impl FlagNames {
    /// The names of a value joined with ` | `, what has no name as hexadecimal at the end.
    #[must_use]
    pub fn text(&self, value: u64) -> String {
        self.display(value).to_string()
    }

    /// Like [`FlagNames::text`] without building a string.
    #[must_use]
    pub fn display(&self, value: u64) -> impl fmt::Display + use<'_> {
        FlagText { names: self, value }
    }

    /// The names that apply, one by one, and the bits that have none.
    #[must_use]
    pub fn split(&self, value: u64) -> (Vec<&'static str>, u64) {
        let mut names = Vec::new();
        let mut rest = value;
        if let Some((mask, choices)) = self.choice {
            let chosen = value & mask;
            if let Some(name) = i64::try_from(chosen).ok().and_then(|chosen| choices.get(chosen)) {
                names.push(name);
                rest &= !mask;
            }
        }
        for (bits, name) in self.bits {
            if *bits != 0 && rest & bits == *bits {
                names.push(name);
                rest &= !bits;
            }
        }
        (names, rest)
    }
}

struct FlagText<'a> {
    names: &'a FlagNames,
    value: u64,
}

impl fmt::Display for FlagText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, rest) = self.names.split(self.value);
        if names.is_empty() && rest == 0 {
            return f.write_str(self.names.zero);
        }
        let mut separator = "";
        for name in names {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        if rest != 0 {
            write!(f, "{separator}{rest:#x}")?;
        }
        Ok(())
    }
}

/// Declares a [`NumberNames`] table.
macro_rules! number_names {
    ($(#[$meta:meta])* $table:ident, $what:literal: $($value:literal => $name:literal),+ $(,)?) => {
        $(#[$meta])*
        pub static $table: $crate::names::NumberNames =
            $crate::names::NumberNames { what: $what, values: &[$(($value, $name)),+] };
    };
}

/// Declares a [`FlagNames`] table.
macro_rules! flag_names {
    ($(#[$meta:meta])* $table:ident, $what:literal, zero $zero:literal: $($value:literal => $name:literal),+ $(,)?) => {
        $(#[$meta])*
        pub static $table: $crate::names::FlagNames = $crate::names::FlagNames {
            what: $what, choice: None, bits: &[$(($value, $name)),+], zero: $zero,
        };
    };
    ($(#[$meta:meta])* $table:ident, $what:literal, zero $zero:literal, choice $mask:literal of $choice:expr;
        $($value:literal => $name:literal),+ $(,)?) => {
        $(#[$meta])*
        pub static $table: $crate::names::FlagNames = $crate::names::FlagNames {
            what: $what, choice: Some(($mask, $choice)), bits: &[$(($value, $name)),+], zero: $zero,
        };
    };
}

pub(crate) use {flag_names, number_names};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_name_what_is_known_and_keep_the_rest() {
        assert_eq!(MMAP_PROT.text(3), "PROT_READ | PROT_WRITE");
        assert_eq!(MMAP_PROT.text(0), "PROT_NONE");
        assert_eq!(MMAP_PROT.text(0x11), "PROT_READ | 0x10");
        assert_eq!(open_flags(None).text(0o100_000), "O_RDONLY | O_LARGEFILE");
        assert_eq!(open_flags(None).text(0o4_010_002), "O_RDWR | O_SYNC");
        assert_eq!(map_flags(None).text(0x22), "MAP_PRIVATE | MAP_ANONYMOUS");
        assert_eq!(map_flags(None).text(0x5404_0001), "MAP_SHARED | MAP_HUGETLB | MAP_HUGE_2MB");
    }

    #[test]
    fn no_size_of_huge_pages_is_taken_for_another() {
        for (log, size) in [
            (14, "16KB"),
            (16, "64KB"),
            (19, "512KB"),
            (20, "1MB"),
            (21, "2MB"),
            (23, "8MB"),
            (24, "16MB"),
            (25, "32MB"),
            (28, "256MB"),
            (29, "512MB"),
            (30, "1GB"),
            (31, "2GB"),
            (34, "16GB"),
        ] {
            for machine in [None, Some(MTYPE_MIPS), Some(MTYPE_PPC64)] {
                let text = map_flags(machine).text(2 | log << 26);
                assert_eq!(text, format!("MAP_PRIVATE | MAP_HUGE_{size}"));
            }
        }
    }

    #[test]
    fn the_same_bit_is_another_flag_on_another_machine() {
        assert!(open_flags(None).text(0o40_000).contains("O_DIRECT"));
        assert!(open_flags(Some(MTYPE_AARCH64)).text(0o40_000).contains("O_DIRECTORY"));
        assert_eq!(signals(None).get(10), Some("SIGUSR1"));
        assert_eq!(signals(Some(MTYPE_MIPS)).get(10), Some("SIGBUS"));
    }

    #[test]
    fn unknown_values_are_numbers() {
        assert_eq!(FD_TYPES.text(18), "MEMFD");
        assert_eq!(FD_TYPES.text(77), "77");
        assert_eq!(FD_TYPES.value("PIDFD"), Some(20));
    }

    #[test]
    fn capabilities_by_bit() {
        assert_eq!(CAPABILITIES.get(0), Some("CAP_CHOWN"));
        assert_eq!(CAPABILITIES.get(21), Some("CAP_SYS_ADMIN"));
        assert_eq!(CAPABILITIES.get(40), Some("CAP_CHECKPOINT_RESTORE"));
        assert_eq!(capability_names(&[0xa804_25fb, 0]).0.len(), 14);
        assert_eq!(capability_names(&[0, 0x200]), (vec![], vec![41]));
    }
}
