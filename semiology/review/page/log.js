// The rater's own last actions in a clip, each to be taken back.

import { get } from "./api.js";
import { button, el, announce, refill } from "./dom.js";

export function actionLog(context) {
  const list = el("ol", { id: "log-list" });
  const node = el("details", { id: "log" }, el("summary", {}, "My last actions"), list);
  let actions = [];

  async function refresh() {
    const path = `/api/log?clip_id=${encodeURIComponent(context.clip.clip_id)}`;
    const answer = await context.run(get(path, { signal: context.signal }));
    actions = (answer?.log ?? answer ?? []).toSorted((a, b) => b.seq - a.seq);
    refill(
      list,
      ...actions
        .slice(0, 30)
        .map((action) =>
          el(
            "li",
            { "data-seq": action.seq },
            el("span", {}, action.text),
            el(
              "span",
              { class: "soft" },
              ` ${new Date(action.when).toLocaleTimeString([], { hour12: false })} `,
            ),
            action.undoable &&
              !context.study.read_only &&
              button("Take back", () => undo(action), { class: "quiet" }),
          ),
        ),
    );
    if (!actions.length) refill(list, el("li", { class: "soft" }, "none in this clip yet"));
  }

  async function undo(action) {
    const done = await context.act({ do: "undo", seq: action.seq }, `taken back: ${action.text}`);
    if (done) await context.again({ all: true });
  }

  return {
    node,
    refresh,
    commands: {
      undo: async () => {
        if (context.study.read_only) return;
        await refresh();
        const last = actions.find(({ undoable }) => undoable);
        if (last) await undo(last);
        else announce("nothing to take back");
      },
    },
  };
}
