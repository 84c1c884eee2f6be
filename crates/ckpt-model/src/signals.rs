//! Pending signals: who sent them, and what they carry.
//!
//! CRIU stores the kernel's raw `siginfo_t`. CRIU is a 64-bit program on every machine it runs on but 32-bit ARM, so that
//! the layout is that of 64-bit kernels: `si_signo`, `si_errno`, `si_code`, then at 16 what the code says. On ARM that
//! begins at 12, and pointers in it have four bytes.
//!
//! Source: `include/uapi/asm-generic/siginfo.h` (Linux 6.12); MIPS swaps `si_errno` and `si_code`
//! (`arch/mips/include/uapi/asm/siginfo.h`).

use criu_image::ByteOrder;

use crate::Pid;
use crate::registers::Arch;

/// A signal that was sent and not yet taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingSignal {
    /// Its number.
    pub signo: u32,
    /// `si_code`: why it was sent.
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// Process that sent it, for codes that tell one.
    pub pid: Option<Pid>,
    /// Real user id of the sender, for codes that tell one.
    pub uid: Option<u32>,
    /// Value that was sent along with `sigqueue(3)`, or by a timer or message queue: an `int` or a pointer.
    pub value: Option<u64>,
    /// Timer that sent it.
    pub timer: Option<u32>,
    /// What became of the child, in a signal of the kernel's that tells of one: its exit code, or the signal that ended,
    /// stopped or continued it.
    pub status: Option<i32>,
    /// Descriptor that is ready, in a signal that `fcntl(F_SETSIG)` or `O_ASYNC` asked for.
    pub fd: Option<u32>,
    /// What its positive codes mean.
    kernel: Kernel,
}

/// Which signals of the kernel's own share their codes, and what lies at 16 of `siginfo_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    /// `SIGCHLD`: process, user, status.
    Child,
    /// `SIGIO`, and whatever `F_SETSIG` names in its place: events, descriptor.
    Poll,
    /// A fault, a trap or a filtered system call: not read.
    Fault,
}

impl Kernel {
    /// Source: `siginfo_layout` of `kernel/signal.c` (Linux 6.12).
    fn of(signo: u32, arch: Option<Arch>) -> Self {
        let mips = arch == Some(Arch::Mips);
        match signo {
            17 if !mips => Self::Child,
            18 if mips => Self::Child,
            // SIGILL, SIGTRAP, SIGFPE, SIGSEGV; SIGBUS; SIGSYS.
            4 | 5 | 8 | 11 => Self::Fault,
            7 | 31 if !mips => Self::Fault,
            10 | 12 if mips => Self::Fault,
            _ => Self::Poll,
        }
    }
}

/// `si_code` 1 to 6 of `SIGCHLD` and of `SIGIO`: `include/uapi/asm-generic/siginfo.h`.
const CHILD_CODES: [&str; 6] =
    ["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"];
const POLL_CODES: [&str; 6] =
    ["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"];

/// `si_code` of signals that a process or the kernel sent on purpose.
mod si {
    pub(super) const USER: i32 = 0;
    pub(super) const QUEUE: i32 = -1;
    pub(super) const TIMER: i32 = -2;
    pub(super) const MESGQ: i32 = -3;
    pub(super) const ASYNCIO: i32 = -4;
    pub(super) const TKILL: i32 = -6;
}

/// Where the parts of what the code says lie.
struct Layout {
    /// Sender, child or timer.
    first: usize,
    /// User of the sender or child.
    second: usize,
    /// Value that was sent along; a child's status.
    value: usize,
    /// Descriptor, behind events that are a `long`.
    fd: usize,
    pointer: Pointer,
}

/// Bytes of a pointer.
enum Pointer {
    Bits32,
    Bits64,
}

impl Layout {
    const BITS_64: Self =
        Self { first: 16, second: 20, value: 24, fd: 24, pointer: Pointer::Bits64 };
    const BITS_32: Self =
        Self { first: 12, second: 16, value: 20, fd: 16, pointer: Pointer::Bits32 };
}

impl PendingSignal {
    /// The name of the code; the codes of faults have none here.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        let of_kernel: &[&'static str] = match self.kernel {
            Kernel::Child => &CHILD_CODES,
            Kernel::Poll => &POLL_CODES,
            Kernel::Fault => &[],
        };
        let number = self.code.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        if let Some(name) = number.and_then(|at| of_kernel.get(at)) {
            return Some(name);
        }
        match self.code {
            si::USER => Some("SI_USER"),
            0x80 => Some("SI_KERNEL"),
            si::QUEUE => Some("SI_QUEUE"),
            si::TIMER => Some("SI_TIMER"),
            si::MESGQ => Some("SI_MESGQ"),
            si::ASYNCIO => Some("SI_ASYNCIO"),
            -5 => Some("SI_SIGIO"),
            si::TKILL => Some("SI_TKILL"),
            -60 => Some("SI_ASYNCNL"),
            _ => None,
        }
    }

    /// The signal as a bit of a signal set: bit n-1 for signal n.
    #[must_use]
    pub fn bit(&self) -> u64 {
        self.signo.checked_sub(1).and_then(|bit| 1u64.checked_shl(bit)).unwrap_or(0)
    }

    /// Reads a raw `siginfo_t`; `None` when it is too short to name a signal.
    pub(crate) fn parse(raw: &[u8], order: ByteOrder, arch: Option<Arch>) -> Option<Self> {
        let word = |offset: usize| order.u32_at(raw, offset);
        let signed = |offset: usize| word(offset).map(u32::cast_signed);
        let long = |offset: usize| raw.get(offset..)?.first_chunk().map(|bytes| order.u64(*bytes));
        let at = if arch == Some(Arch::Arm) { &Layout::BITS_32 } else { &Layout::BITS_64 };
        let value = || match at.pointer {
            Pointer::Bits32 => word(at.value).map(u64::from),
            Pointer::Bits64 => long(at.value),
        };
        let (second, third) = (signed(4)?, signed(8)?);
        let (errno, code) =
            if arch == Some(Arch::Mips) { (third, second) } else { (second, third) };
        let signo = word(0)?;
        let mut signal = Self {
            signo,
            code,
            errno,
            pid: None,
            uid: None,
            value: None,
            timer: None,
            status: None,
            fd: None,
            kernel: Kernel::of(signo, arch),
        };
        match code {
            si::USER | si::QUEUE | si::TKILL | si::MESGQ => {
                signal.pid = word(at.first).map(Pid);
                signal.uid = word(at.second);
                if matches!(code, si::QUEUE | si::MESGQ) {
                    signal.value = value();
                }
            }
            si::TIMER => {
                signal.timer = word(at.first);
                signal.value = value();
            }
            si::ASYNCIO => signal.value = value(),
            // Only these codes have names, and SI_KERNEL (0x80) carries nothing.
            1..=6 => match signal.kernel {
                Kernel::Child => {
                    signal.pid = word(at.first).map(Pid);
                    signal.uid = word(at.second);
                    signal.status = signed(at.value);
                }
                Kernel::Poll => signal.fd = word(at.fd),
                Kernel::Fault => {}
            },
            _ => {}
        }
        Some(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_signal_carries_sender_and_value() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let big = order == ByteOrder::Big;
            let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let mut raw = [37, 0, u32::MAX, 0, 7, 1000].map(word).concat();
            let value = if big { 4259u64.to_be_bytes() } else { 4259u64.to_le_bytes() };
            raw.extend(value);
            raw.resize(128, 0);
            let signal = PendingSignal::parse(&raw, order, None).unwrap();
            assert_eq!((signal.signo, signal.code_name()), (37, Some("SI_QUEUE")));
            assert_eq!(
                (signal.pid, signal.uid, signal.value),
                (Some(Pid(7)), Some(1000), Some(4259))
            );
            assert_eq!(signal.bit(), 1 << 36);
        }
    }

    /// `siginfo_t` of four bytes a word.
    fn words(words: &[i32]) -> Vec<u8> {
        let mut raw: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        raw.resize(128, 0);
        raw
    }

    #[test]
    fn the_end_of_a_child_names_the_child_and_its_status() {
        let child = words(&[17, 0, 1, 0, 48, 33, 5]);
        let signal = PendingSignal::parse(&child, ByteOrder::Little, Some(Arch::X86_64)).unwrap();
        assert_eq!(signal.code_name(), Some("CLD_EXITED"));
        assert_eq!((signal.pid, signal.uid, signal.status), (Some(Pid(48)), Some(33), Some(5)));
        assert_eq!((signal.value, signal.fd), (None, None));
        // MIPS: SIGCHLD is 18, and code and errno have changed places.
        let child = words(&[18, 2, 0, 0, 48, 33, 9]);
        let signal = PendingSignal::parse(&child, ByteOrder::Little, Some(Arch::Mips)).unwrap();
        assert_eq!((signal.code_name(), signal.status), (Some("CLD_KILLED"), Some(9)));
    }

    #[test]
    fn a_descriptor_that_is_ready_is_named_whatever_signal_says_so() {
        for signo in [29, 35] {
            let ready = words(&[signo, 0, 1, 0, 0x41, 0, 20]);
            let signal =
                PendingSignal::parse(&ready, ByteOrder::Little, Some(Arch::X86_64)).unwrap();
            assert_eq!((signal.code_name(), signal.fd), (Some("POLL_IN"), Some(20)));
            assert_eq!((signal.pid, signal.status), (None, None));
        }
    }

    #[test]
    fn on_32_bit_arm_what_the_code_says_begins_four_bytes_earlier() {
        let parse = |raw: &[i32]| {
            PendingSignal::parse(&words(raw), ByteOrder::Little, Some(Arch::Arm)).unwrap()
        };
        let queued = parse(&[37, 0, -1, 7, 1000, 4259, -1]);
        assert_eq!((queued.pid, queued.uid, queued.value), (Some(Pid(7)), Some(1000), Some(4259)));
        let child = parse(&[17, 0, 1, 48, 33, 5]);
        assert_eq!((child.pid, child.uid, child.status), (Some(Pid(48)), Some(33), Some(5)));
        assert_eq!(parse(&[29, 0, 1, 0x41, 20, -1]).fd, Some(20));
        let timer = parse(&[14, 0, -2, 3, 0, 99, -1]);
        assert_eq!((timer.timer, timer.value), (Some(3), Some(99)));
    }

    #[test]
    fn what_a_fault_tells_is_not_taken_for_a_child_or_a_descriptor() {
        let fault = words(&[11, 0, 1, 0, 0x1000, 0, 7]);
        let signal = PendingSignal::parse(&fault, ByteOrder::Little, Some(Arch::X86_64)).unwrap();
        assert_eq!(
            (signal.code_name(), signal.pid, signal.status, signal.fd),
            (None, None, None, None)
        );
    }

    #[test]
    fn short_and_odd_ones_cost_nothing() {
        assert_eq!(PendingSignal::parse(&[1, 2, 3], ByteOrder::Little, None), None);
        let odd = PendingSignal::parse(&[0xff; 12], ByteOrder::Little, None).unwrap();
        assert_eq!((odd.bit(), odd.pid, odd.value), (0, None, None));
    }
}
