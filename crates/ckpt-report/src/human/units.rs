//! Sizes and durations for people, with the exact number beside them.

/// `512 B`, `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes;
    let mut rest = 0;
    let mut unit = "";
    for next in UNITS {
        if scaled < 1024 {
            break;
        }
        rest = scaled % 1024;
        scaled /= 1024;
        unit = next;
    }
    // Tenths are cut off, so that 1023.99 KiB is not shown as 1024.0.
    let tenths = rest * 10 / 1024;
    format!("{scaled}.{tenths} {unit}")
}

/// `1.5 MiB (1572864 bytes)`.
pub(crate) fn exact_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{} ({bytes} bytes)", size(bytes)),
    }
}

/// `93 us`, `412.3 ms`, `2.051 s`.
pub(crate) fn duration(micros: u32) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1_000),
    }
}

/// `1 thread`, `2 threads`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(1024 * 1024 - 1), "1023.9 KiB");
        assert_eq!(size(u64::MAX), "15.9 EiB");
        assert_eq!(exact_size(5 << 30), "5.0 GiB (5368709120 bytes)");
        assert_eq!(exact_size(12), "12 bytes");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(93), "93 us");
        assert_eq!(duration(412_345), "412.3 ms");
        assert_eq!(duration(2_051_000), "2.051 s");
    }
}
