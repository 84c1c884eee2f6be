//! One image directory: images by kind and id, decoded when asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ckpt_archive::{Content, Evidence, Member, MemberKind};
use criu_image::schema::Described;
use criu_image::wire::{Review, UnknownField, review};
use criu_image::{ByteOrder, Classified, Image, ImageKind, Message, Record, classify, probe_order};

use crate::Text;
use crate::defect::{DefectKind, Defects};
use crate::locate::split;

/// A folder of CRIU images in the evidence.
#[derive(Clone, Debug)]
pub struct Images {
    evidence: Arc<Evidence>,
    path: Text,
    /// Index of each image among the members of the evidence.
    members: BTreeMap<(ImageKind, Option<u64>), usize>,
}

impl Images {
    /// Indexes the images in a folder of the evidence. Nothing is read.
    #[must_use]
    pub fn new(evidence: Arc<Evidence>, path: Text) -> Self {
        let all = evidence.members().iter().enumerate();
        let here = all.filter(|(_, member)| split(&member.path).0 == path.as_bytes());
        let members = index(here);
        Self { evidence, path, members }
    }

    /// As [`new`](Self::new), of a folder whose members are known.
    pub(crate) fn of_folder(evidence: Arc<Evidence>, path: Text, folders: &Folders) -> Self {
        let here = folders.0.get(path.as_bytes()).into_iter().flatten();
        let members =
            index(here.filter_map(|index| Some((*index, evidence.members().get(*index)?))));
        Self { evidence, path, members }
    }

    /// Takes an image out of the index.
    pub(crate) fn set_aside(&mut self, kind: ImageKind, id: Option<u64>) {
        self.members.remove(&(kind, id));
    }

    /// Byte order of the images, from the first four bytes of the inventory; a failed dump has none, and then the header
    /// of any other image tells.
    pub(crate) fn byte_order(&self) -> Option<ByteOrder> {
        let inventory = self.content(ImageKind::Inventory, None);
        let told = inventory.and_then(|content| probe_order(&content.slice(0..4).ok()?));
        told.or_else(|| self.members.keys().find_map(|(kind, id)| self.order_of(*kind, *id)))
    }

    /// Byte order that the header of an image tells.
    fn order_of(&self, kind: ImageKind, id: Option<u64>) -> Option<ByteOrder> {
        let content = self.content(kind, id).filter(|_| !kind.is_raw())?;
        let header = content.slice(0..content.captured_len().min(8)).ok()?;
        Image::open(kind, header).ok()?.order()
    }

    /// Path of the folder in the evidence.
    #[must_use]
    pub fn path(&self) -> &Text {
        &self.path
    }

    /// The evidence that holds the folder.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The member that holds an image.
    #[must_use]
    pub fn member(&self, kind: ImageKind, id: Option<u64>) -> Option<&Member> {
        self.evidence.members().get(*self.members.get(&(kind, id))?)
    }

    /// Whether an image is there.
    #[must_use]
    pub fn has(&self, kind: ImageKind, id: Option<u64>) -> bool {
        self.members.contains_key(&(kind, id))
    }

    /// Every image with its kind and id, in the order of the evidence.
    #[must_use]
    pub fn all(&self) -> Vec<(ImageKind, Option<u64>, &Member)> {
        let mut all: Vec<_> =
            self.members.iter().map(|((kind, id), index)| (*index, *kind, *id)).collect();
        all.sort_unstable_by_key(|(index, ..)| *index);
        let members = self.evidence.members();
        all.into_iter()
            .filter_map(|(index, kind, id)| Some((kind, id, members.get(index)?)))
            .collect()
    }

    /// Ids of the images of one kind, ascending.
    #[must_use]
    pub fn ids(&self, kind: ImageKind) -> Vec<u64> {
        self.numbered(kind).collect()
    }

    /// Whether there is an image of that kind with a number.
    pub(crate) fn has_numbered(&self, kind: ImageKind) -> bool {
        self.numbered(kind).next().is_some()
    }

    fn numbered(&self, kind: ImageKind) -> impl Iterator<Item = u64> {
        let range = (kind, None)..=(kind, Some(u64::MAX));
        self.members.range(range).filter_map(|((_, id), _)| *id)
    }

    /// The bytes of a raw image.
    pub(crate) fn content(&self, kind: ImageKind, id: Option<u64>) -> Option<Content> {
        self.evidence.content(self.member(kind, id)?).ok()
    }

    /// The only record of a single image, or the first one of an array.
    pub(crate) fn one<M: Described + Message + Default>(
        &self,
        kind: ImageKind,
        id: Option<u64>,
        defects: &Defects,
    ) -> Option<M> {
        let mut records = self.records(kind, id, defects)?;
        match records.next() {
            Some((place, record)) => decode(&place, &record, defects),
            None => {
                let place = self.place(kind, id);
                defects.damaged(place, "no record where there must be one");
                None
            }
        }
    }

    /// Every record of an image; `None` when there is no such image. Broken records are told and passed over.
    pub(crate) fn many<M: Described + Message + Default>(
        &self,
        kind: ImageKind,
        id: Option<u64>,
        defects: &Defects,
    ) -> Option<Vec<M>> {
        let records = self.records(kind, id, defects)?;
        Some(records.filter_map(|(place, record)| decode(&place, &record, defects)).collect())
    }

    /// The records of an image with their places; `None` when there is no such image.
    pub(crate) fn records<'a>(
        &'a self,
        kind: ImageKind,
        id: Option<u64>,
        defects: &'a Defects,
    ) -> Option<impl Iterator<Item = (Place, Record)> + use<'a>> {
        let (place, image) = self.open(kind, id, defects)?;
        let records = image.records();
        let place: Arc<str> = place.into();
        Some(records.filter_map(move |record| match record {
            Ok(record) => Some((Place { image: Arc::clone(&place), record: record.index }, record)),
            Err(error) => {
                defects.damaged(&*place, error.to_string());
                None
            }
        }))
    }

    /// An image whose header is right, and its path; `None` when there is no such image, or it is told why not.
    pub(crate) fn open(
        &self,
        kind: ImageKind,
        id: Option<u64>,
        defects: &Defects,
    ) -> Option<(String, Image)> {
        let member = self.member(kind, id)?;
        let place = Text::from(member.path.as_slice()).escaped().into_owned();
        let image = match self.bytes(member) {
            Ok(bytes) => Image::open(kind, bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                defects.damaged(place, error);
                return None;
            }
        };
        Some((place, image))
    }

    fn bytes(&self, member: &Member) -> Result<Bytes, String> {
        let content = self.evidence.content(member).map_err(|error| error.to_string())?;
        // Of a truncated member the records before the cut still count.
        let len = content.captured_len();
        content.slice(0..len).map_err(|error| error.to_string())
    }

    /// Whether the evidence ends within an image.
    pub(crate) fn is_cut(&self, kind: ImageKind, id: Option<u64>) -> bool {
        self.content(kind, id).is_some_and(|content| content.captured_len() < content.len())
    }

    /// The path of an image, safe for a terminal, whether it is there or not.
    pub(crate) fn place(&self, kind: ImageKind, id: Option<u64>) -> String {
        match self.member(kind, id) {
            Some(member) => Text::from(member.path.as_slice()).escaped().into_owned(),
            None => {
                let name = kind.file_name(id).unwrap_or_else(|| kind.name().to_owned());
                Text(crate::locate::join(self.path.as_bytes(), name.as_bytes()))
                    .escaped()
                    .into_owned()
            }
        }
    }
}

/// The members of an evidence by their folders, for more than one of them.
#[derive(Debug)]
pub(crate) struct Folders(HashMap<Vec<u8>, Vec<usize>>);

impl Folders {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut folders: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (index, member) in evidence.members().iter().enumerate() {
            let folder = split(&member.path).0;
            match folders.get_mut(folder) {
                Some(members) => members.push(index),
                None => {
                    folders.insert(folder.to_vec(), vec![index]);
                }
            }
        }
        Self(folders)
    }
}

/// The images among members of one folder.
fn index<'a>(
    members: impl Iterator<Item = (usize, &'a Member)>,
) -> BTreeMap<(ImageKind, Option<u64>), usize> {
    let mut images = BTreeMap::new();
    for (index, member) in members {
        if !matches!(member.kind, MemberKind::File | MemberKind::HardLink) {
            continue;
        }
        if let Classified::Image(image) = classify(split(&member.path).1) {
            // Of members with one name the last one counts, as for an extracting tar.
            images.insert((image.kind, image.id), index);
        }
    }
    images
}

/// Where a record is. Text only when somebody asks: a pagemap has thousands of records that are whole.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Path of the image, safe for a terminal.
    image: Arc<str>,
    record: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: record {}", self.image, self.record)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl From<Place> for Arc<str> {
    fn from(place: Place) -> Self {
        place.to_string().into()
    }
}

/// Unknown fields as a sentence: how many, and the first of them.
pub(crate) fn told(first: &UnknownField, count: usize) -> String {
    let UnknownField { path, number, wire_type, size, .. } = first;
    let inside = if path.is_empty() { String::new() } else { format!(" in {path}") };
    format!(
        "{count} unknown field(s), the first is number {number}{inside} ({wire_type:?}, {size} bytes)"
    )
}

/// Tells the fields of a payload that this version does not know, and those that CRIU always writes and that are not
/// there: decoding reads them as 0, which is not the same as being 0.
pub(crate) fn tell_review(
    review: &Review,
    place: &(impl fmt::Display + ?Sized),
    defects: &Defects,
) {
    if let Some(first) = review.unknown.first() {
        let what = told(first, review.unknown.len());
        defects.tell(DefectKind::Unknown, place.to_string(), what);
    }
    if let Some(first) = review.missing.first() {
        let count = review.missing.len();
        let what = format!(
            "{count} field(s) that CRIU always writes are not there and read as 0 or nothing, the first is {first}"
        );
        defects.missing(place.to_string(), what);
    }
}

/// Decodes a record; one that is broken costs itself, and fields that are not known or not there are told.
pub(crate) fn decode<M: Described + Message + Default>(
    place: &(impl fmt::Display + ?Sized),
    record: &Record,
    defects: &Defects,
) -> Option<M> {
    match record.decode::<M>() {
        Ok(message) => {
            tell_review(&review(&record.payload, M::schema()), place, defects);
            Some(message)
        }
        Err(error) => {
            defects.damaged(place.to_string(), error.to_string());
            None
        }
    }
}
