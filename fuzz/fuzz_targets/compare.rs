//! Named files, as `tar::split` finds them in the input, as two checkpoints: of a name that comes twice the first file is
//! in the one, and the last in the other.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let files = ckpt_fuzz::tar::split(input);
    let of = |pick: fn(&[usize]) -> Option<&usize>| {
        let mut places: std::collections::BTreeMap<&[u8], Vec<usize>> = Default::default();
        for (place, (name, _)) in files.iter().enumerate() {
            places.entry(name).or_default().push(place);
        }
        let mut places: Vec<usize> =
            places.values().filter_map(|places| pick(places).copied()).collect();
        places.sort_unstable();
        ckpt_fuzz::tar::of(places.into_iter().map(|place| files[place]))
    };
    ckpt_fuzz::compare::hold_against(&of(|places| places.first()), &of(|places| places.last()));
});
