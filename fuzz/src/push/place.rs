//! Where WeChat puts what people write.

use crate::protocol::Mode;

/// An element whose text somebody may choose, in the document around it.
pub(super) struct Place {
    /// How the document is sent.
    pub(super) mode: Mode,
    msg_type: &'static str,
    before: &'static str,
    /// Begins the elements around the text.
    pub(super) begin: &'static str,
    /// Ends them.
    pub(super) end: &'static str,
    behind: &'static str,
}

/// Text messages, which must be read whatever they say.
pub(super) const TEXTS: [Place; 3] = [
    Place {
        mode: Mode::Secure,
        msg_type: "text",
        before: "",
        begin: "<Content><![CDATA[",
        end: "]]></Content>",
        behind: "<MsgId>24601</MsgId>",
    },
    Place {
        mode: Mode::Plain,
        msg_type: "text",
        before: "",
        begin: "<Content><![CDATA[",
        end: "]]></Content>",
        behind: "\n<MsgId>24601</MsgId><bizmsgmenuid>7</bizmsgmenuid>",
    },
    Place {
        mode: Mode::Compatible,
        msg_type: "text",
        before: "",
        begin: "<Content><![CDATA[",
        end: "]]></Content>",
        behind: "\n<MsgId>24601</MsgId>\n",
    },
];

/// Everything else, where a text that breaks its document makes it malformed.
pub(super) const OTHERS: [Place; 6] = [
    Place {
        mode: Mode::Secure,
        msg_type: "location",
        before: "<Location_X>23.1</Location_X><Location_Y>113.3</Location_Y><Scale>20</Scale>",
        begin: "<Label><![CDATA[",
        end: "]]></Label>",
        behind: "<MsgId>24602</MsgId>",
    },
    Place {
        mode: Mode::Secure,
        msg_type: "link",
        before: "",
        begin: "<Title><![CDATA[",
        end: "]]></Title>",
        behind: "<Description><![CDATA[d]]></Description><Url><![CDATA[u]]></Url><MsgId>24603</MsgId>",
    },
    Place {
        mode: Mode::Secure,
        msg_type: "voice",
        before: "<MediaId><![CDATA[m]]></MediaId><Format><![CDATA[amr]]></Format><MsgId>24604</MsgId>",
        begin: "<Recognition><![CDATA[",
        end: "]]></Recognition>",
        behind: "",
    },
    Place {
        mode: Mode::Secure,
        msg_type: "event",
        before: "<Event><![CDATA[scancode_waitmsg]]></Event><EventKey><![CDATA[k]]></EventKey>",
        begin: "<ScanCodeInfo><ScanResult><![CDATA[",
        end: "]]></ScanResult></ScanCodeInfo>",
        behind: "",
    },
    Place {
        mode: Mode::Compatible,
        msg_type: "event",
        before: "<Event><![CDATA[subscribe]]></Event>",
        begin: "<EventKey><![CDATA[",
        end: "]]></EventKey>",
        behind: "<Ticket><![CDATA[t]]></Ticket>",
    },
    Place {
        mode: Mode::Secure,
        msg_type: "event",
        before: "<Event><![CDATA[user_enter_tempsession]]></Event>",
        begin: "<SessionFrom><![CDATA[",
        end: "]]></SessionFrom>",
        behind: "",
    },
];

impl Place {
    /// The platform's document around a text; `last` stands at its end.
    pub(super) fn document(&self, text: &str, last: &str) -> String {
        [
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>",
            "<CreateTime>1718000001</CreateTime><MsgType><![CDATA[",
            self.msg_type,
            "]]></MsgType>",
            self.before,
            self.begin,
            text,
            self.end,
            self.behind,
            last,
            "</xml>",
        ]
        .concat()
    }
}
