//! What users write and send. Unlike events, messages have a `MsgId`.
//!
//! Every ordinary message may carry `MsgDataId` and `Idx`, when it was sent from an article's page, and
//! `BusinessId`, of an account's sub-merchant.

use crate::id::OpenId;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Decimal, Flag, Id, Number};

family! {
    "message" "Messages" / "用户消息"

    message "text" => Text (Active, Message, answered)
    "A user writes a text, or taps an item of a menu message." / "用户发送文本，或点击客服菜单消息中的选项。"
    {
        /// What the user wrote, verbatim but for characters that XML does not know. May be empty.
        content: String = "Content",
        /// When the text is a tap on an item of a menu message: the id that the sender gave that item, any
        /// text. Such a tap opens the window of a menu, not that of a message.
        bizmsgmenuid: Option<String> = "bizmsgmenuid",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "image" => Image (Active, Message, answered)
    "A user sends a picture." / "用户发送图片。"
    {
        /// Where the picture can be loaded.
        pic_url: String = "PicUrl",
        /// For downloading it as temporary material within three days.
        media_id: String = "MediaId",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "voice" => Voice (Active, Message, answered)
    "A user sends a voice message." / "用户发送语音。"
    {
        /// For downloading it as temporary material within three days.
        media_id: String = "MediaId",
        /// `amr`, `speex` and others.
        format: String = "Format",
        /// The same recording at 16 kHz.
        media_id_16k: Option<String> = "MediaId16K",
        /// What was said, if the account has speech recognition, which the platform is withdrawing.
        recognition: Option<String> = "Recognition",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "video" => Video (Active, Message, answered)
    "A user sends a video." / "用户发送视频。"
    {
        /// For downloading it as temporary material within three days.
        media_id: String = "MediaId",
        /// The same for its first picture.
        thumb_media_id: String = "ThumbMediaId",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "shortvideo" => ShortVideo (Legacy, Message, answered)
    "A user sends a short video; today's clients do not make any." / "用户发送小视频；现行客户端已不再产生。"
    {
        /// For downloading it as temporary material within three days.
        media_id: String = "MediaId",
        /// The same for its first picture.
        thumb_media_id: String = "ThumbMediaId",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
    }

    message "location" => Location (Active, Message, answered)
    "A user sends a place." / "用户发送地理位置。"
    {
        /// Degrees north.
        latitude: Decimal = "Location_X",
        /// Degrees east.
        longitude: Decimal = "Location_Y",
        /// The map's zoom; some clients send a decimal.
        scale: Decimal = "Scale",
        /// What the map calls the place. May be empty.
        label: String = "Label",
        /// The point of interest.
        poi_name: Option<String> = "Poiname" | "PoiName",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "link" => Link (Active, Message, answered)
    "A user sends a link from the favourites or another chat." / "用户发送链接。"
    {
        /// Its title.
        title: String = "Title",
        /// Its description. May be empty.
        description: String = "Description",
        /// Where it leads.
        url: String = "Url",
        /// Its picture.
        pic_url: Option<String> = "PicUrl",
        /// When it was sent from an article's page: that article's message data id.
        msg_data_id: Option<String> = "MsgDataId",
        /// With `msg_data_id`: which article of several, from 1.
        idx: Option<Number> = "Idx",
        /// The sub-merchant that was written to.
        business_id: Option<Id> = "BusinessId",
    }

    message "file" => File (Active, Message, answered)
    "A user sends a file. Not documented, but sent; the file cannot be downloaded." / "用户发送文件（官方文档未列出，但确有推送；文件内容无法下载）。"
    {
        /// The file's name.
        title: String = "Title",
        /// Mostly empty.
        description: String = "Description",
        /// The platform's name for it.
        file_key: String = "FileKey",
        /// MD5 of its bytes, 32 hex digits.
        file_md5: String = "FileMd5",
        /// Its length in bytes.
        file_total_len: Number = "FileTotalLen",
    }

    message "miniprogrampage" => MiniProgramPage (Active, Message, answered)
    "A user sends the card of a mini program." / "用户发送小程序卡片。"
    {
        /// The card's title.
        title: String = "Title",
        /// The mini program.
        app_id: String = "AppId",
        /// The page in it, with its query.
        page_path: String = "PagePath",
        /// Where the card's picture can be loaded.
        thumb_url: String = "ThumbUrl",
        /// For downloading the picture as temporary material within three days.
        thumb_media_id: String = "ThumbMediaId",
    }

    message "device_text" => DeviceText (Obsolete, closed, unanswered)
    "A device of the hardware platform sends data." / "硬件平台设备上报数据。"
    {
        /// The kind of device: the account's original id.
        device_type: String = "DeviceType",
        /// The device.
        device_id: String = "DeviceID" | "DeviceId",
        /// Its data, in Base64.
        content: String = "Content",
        /// The device's session.
        session_id: Id = "SessionID" | "SessionId",
        /// The user to whom the device belongs.
        open_id: OpenId = "OpenID" | "OpenId",
    }

    message "device_event" => DeviceEvent (Obsolete, closed, unanswered)
    "Something happens to a device of the hardware platform: bind, unbind, subscribe_status, unsubscribe_status." / "硬件平台设备事件：绑定、解绑、订阅或退订设备状态。"
    {
        /// What happened.
        event: String = "Event",
        /// The kind of device: the account's original id.
        device_type: String = "DeviceType",
        /// The device.
        device_id: String = "DeviceID" | "DeviceId",
        /// Its data, in Base64.
        content: Option<String> = "Content",
        /// The device's session.
        session_id: Option<Id> = "SessionID" | "SessionId",
        /// The user to whom the device belongs.
        open_id: OpenId = "OpenID" | "OpenId",
        /// With the two about the status: whether it is subscribed to.
        op_type: Option<Flag> = "OpType",
    }
}

impl Location {
    /// Degrees north and degrees east.
    pub fn coordinates(&self) -> Option<(f64, f64)> {
        self.latitude.value().zip(self.longitude.value())
    }
}
