//! Cards that lead to articles.

use serde::Serialize;

use crate::protocol::message::error::{MAX_FIELD_BYTES, optional, required};
use crate::protocol::message::{Answering, Channel, MessageError, Words};

/// Articles of a customer message, and of a passive reply to a message; before 2018-10-12 there were more.
/// The platform answers 45008, or cuts the rest off.
pub const MAX_ARTICLES: usize = 1;

/// Articles of a passive reply to an event.
pub const MAX_ARTICLES_TO_EVENT: usize = 8;

/// Cards that lead to pages (图文).
///
/// ```
/// use wxhook::protocol::message::{Article, News};
///
/// let news = News::new(
///     Article::new("新品上市", "https://example.com/new")
///         .description("限时九折")
///         .picture("https://example.com/new.jpg"),
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct News {
    /// The cards, the large one first.
    pub articles: Vec<Article>,
}

impl News {
    /// One card.
    pub fn new(article: Article) -> Self {
        Self {
            articles: vec![article],
        }
    }

    /// With one more, for passive replies to events.
    #[must_use]
    pub fn and(mut self, article: Article) -> Self {
        self.articles.push(article);
        self
    }

    pub(super) fn check(&self, channel: Channel) -> Result<(), MessageError> {
        let field = "the list of articles";
        let limit = match channel {
            Channel::CustomerMessage | Channel::PassiveReply(Answering::Message) => MAX_ARTICLES,
            Channel::PassiveReply(Answering::Event) => MAX_ARTICLES_TO_EVENT,
        };
        match self.articles.len() {
            0 => return Err(MessageError::Empty { field }),
            count if count > limit => {
                return Err(MessageError::TooMany {
                    field,
                    count,
                    limit,
                });
            }
            _ => {}
        }
        self.articles.iter().try_for_each(Article::check)
    }
}

impl FromIterator<Article> for News {
    fn from_iter<I: IntoIterator<Item = Article>>(articles: I) -> Self {
        Self {
            articles: articles.into_iter().collect(),
        }
    }
}

/// A card of [`News`]. All four members are always written, as every example of the platform's has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Article {
    /// Its title.
    pub title: Words,
    /// What stands below the title.
    pub description: Words,
    /// Where a tap leads.
    pub url: Words,
    /// Its picture, JPG or PNG; 360×200 for the first card, 200×200 for others look best.
    #[serde(rename = "picurl")]
    pub picture_url: Words,
}

impl Article {
    /// A card without description and picture.
    pub fn new(title: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            title: Words::new(title),
            description: Words::default(),
            url: Words::new(url),
            picture_url: Words::default(),
        }
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Words::new(description);
        self
    }

    /// With the picture at this URL.
    #[must_use]
    pub fn picture(mut self, url: impl Into<String>) -> Self {
        self.picture_url = Words::new(url);
        self
    }

    fn check(&self) -> Result<(), MessageError> {
        required("an article's title", &self.title, MAX_FIELD_BYTES)?;
        required("an article's url", &self.url, MAX_FIELD_BYTES)?;
        optional(
            "an article's description",
            Some(&self.description),
            MAX_FIELD_BYTES,
        )?;
        optional(
            "an article's picurl",
            Some(&self.picture_url),
            MAX_FIELD_BYTES,
        )
    }
}

/// An article of the material library, by the id of its material. The platform withdraws this type:
/// [`MpNewsArticle`] replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MpNews {
    /// The id of the material.
    pub media_id: Words,
}

impl MpNews {
    /// The article of this material.
    pub fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: Words::new(media_id),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the mpnews' media_id", &self.media_id, MAX_FIELD_BYTES)
    }
}

/// A published article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MpNewsArticle {
    /// The id that publishing gave it.
    pub article_id: Words,
}

impl MpNewsArticle {
    /// The article with this id.
    pub fn new(article_id: impl Into<String>) -> Self {
        Self {
            article_id: Words::new(article_id),
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        required("the article_id", &self.article_id, MAX_FIELD_BYTES)
    }
}
