//! Tags (标签): names that an account gives to groups of its followers. At most 100 of an account, at
//! most 20 on a user.

use serde::{Deserialize, Serialize};

use crate::api::RequestError;
use crate::api::endpoint::{Done, endpoints};
use crate::api::request;
use crate::id::OpenId;

/// Characters of the longest name of a tag.
pub const MAX_NAME_CHARACTERS: usize = 30;

/// Users that one call gives a tag at most, or takes it from.
pub const MAX_USERS: usize = 50;

endpoints! {
    CreateTag => Created {
        call: Post "/cgi-bin/tags/create",
        page: "创建标签",
        send: json,
        check: |request: &CreateTag| name(&request.tag.name),
        quota: "tag_create",
        repeat: Harmful,
        codes: [45056, 45157, 45158],
        limits: "name: 1 to 30 characters; 100 tags of an account",
    }
    ListTags => Tags {
        call: Get "/cgi-bin/tags/get",
        page: "获取标签",
        send: nothing,
        quota: "tag_list",
    }
    RenameTag => Done {
        call: Post "/cgi-bin/tags/update",
        page: "编辑标签",
        send: json,
        check: |request: &RenameTag| name(&request.tag.name),
        quota: "tag_update",
        codes: [45058, 45157, 45158],
        limits: "name: 1 to 30 characters; tags 0 to 2 are the platform's own",
    }
    DeleteTag => Done {
        call: Post "/cgi-bin/tags/delete",
        page: "删除标签",
        send: json,
        codes: [45057, 45058],
        limits: "a tag with more than 100 000 users must be emptied first",
    }
    TagUsers => Tagged {
        call: Post "/cgi-bin/tags/members/batchtagging",
        page: "批量为用户打标签",
        send: json,
        check: |request: &TagUsers| request::members("openid_list", request.openid_list.len(), 1, MAX_USERS),
        quota: "move_user",
        accepts: [45171],
        codes: [40003, 40032, 45059, 45159, 45169, 49003, 50005],
        limits: "openid_list: 1 to 50; 20 tags on a user",
    }
    UntagUsers => Tagged {
        call: Post "/cgi-bin/tags/members/batchuntagging",
        page: "批量为用户取消标签",
        send: json,
        check: |request: &UntagUsers| request::members("openid_list", request.openid_list.len(), 1, MAX_USERS),
        quota: "move_user",
        accepts: [45171],
        codes: [40003, 40032, 45159, 45169, 49003],
        limits: "openid_list: 1 to 50",
    }
    TagsOfUser => TagIds {
        call: Post "/cgi-bin/tags/getidlist",
        page: "获取用户身上的标签列表",
        send: json,
        codes: [40003, 49003],
    }
}

fn name(name: &str) -> Result<(), RequestError> {
    request::characters("tag.name", name, MAX_NAME_CHARACTERS)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    name: String,
}

/// Makes a tag. A second one of the same name is refused (45157).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateTag {
    tag: Named,
}

impl CreateTag {
    /// A tag of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            tag: Named {
                id: None,
                name: name.into(),
            },
        }
    }
}

/// The tag that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Created {
    /// It.
    pub tag: Tag,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tag {
    /// Its number, by which users are given it.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// How many users have it; of a new one the platform does not say.
    #[serde(default)]
    pub count: i64,
}

/// Lists all tags of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListTags;

/// All tags of the account, the platform's own among them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tags {
    /// They.
    pub tags: Vec<Tag>,
}

/// Gives a tag another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenameTag {
    tag: Named,
}

impl RenameTag {
    /// This tag is called so from now on.
    pub fn new(id: i64, name: impl Into<String>) -> Self {
        Self {
            tag: Named {
                id: Some(id),
                name: name.into(),
            },
        }
    }
}

/// Takes a tag away, from all users who have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteTag {
    tag: Numbered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Numbered {
    id: i64,
}

impl DeleteTag {
    /// This tag.
    pub const fn new(id: i64) -> Self {
        Self {
            tag: Numbered { id },
        }
    }
}

/// Gives users a tag. Who has it already keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagUsers {
    /// The tag.
    pub tagid: i64,
    /// The users: at most [`MAX_USERS`].
    pub openid_list: Vec<OpenId>,
}

/// Takes a tag from users. Who has it not is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UntagUsers {
    /// The tag.
    pub tagid: i64,
    /// The users: at most [`MAX_USERS`].
    pub openid_list: Vec<OpenId>,
}

/// What became of a list of users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tagged {
    /// Those for whom it failed (45171); the others are done. They may be tried again.
    #[serde(default, rename = "fail_openid_list")]
    pub failed: Vec<OpenId>,
}

/// Asks which tags a user has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagsOfUser {
    /// The user.
    pub openid: OpenId,
}

/// The numbers of a user's tags.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TagIds {
    /// They.
    pub tagid_list: Vec<i64>,
}
