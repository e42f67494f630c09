/**
 * The query line in CodeMirror: coloured, completed, with a refused piece marked. One line: Enter runs the query, Tab goes on to the next
 * field. Loaded when the search page is; until then a plain input stands in its place.
 */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  startCompletion,
  type Completion as Option,
  type CompletionContext,
  type CompletionResult,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { Compartment, EditorState, Prec, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, placeholder, ViewPlugin, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import { formatCountShort } from "../../lib/format.ts";
import { markedPiece } from "../../lib/traceql/completion.ts";
import type { Suggestion } from "../../lib/traceql/suggestions.ts";
import { queryTokens } from "../../lib/traceql/tokens.ts";
import type { Completion } from "./completer.ts";

export interface QueryEditorOptions {
  readonly parent: HTMLElement;
  readonly text: string;
  readonly label: string;
  readonly hint: string;
  readonly onchange: (text: string) => void;
  readonly onrun: () => void;
  readonly complete: (text: string, at: number) => Promise<Completion | null>;
}

export interface QueryEditor {
  setText: (text: string) => void;
  /** Marks the piece at a character, counted from 0; null takes the mark away. */
  mark: (fault: { readonly at: number; readonly words: string } | null) => void;
  /** What it is called and what stands in it while it is empty, in the language of the page. */
  setWords: (label: string, hint: string) => void;
  focus: () => void;
  close: () => void;
}

function colours(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const { kind, from, to } of queryTokens(view.state.doc.toString())) {
    if (kind !== "space" && kind !== "word") builder.add(from, to, Decoration.mark({ class: `q-${kind}` }));
  }
  return builder.finish();
}

const colouring = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = colours(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged) this.decorations = colours(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

const setFault = StateEffect.define<{ readonly at: number; readonly words: string } | null>();
/** The mark goes with the first change: it was about another text. */
const faultMark = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    const effect = transaction.effects.find((candidate) => candidate.is(setFault));
    if (effect === undefined) return transaction.docChanged ? Decoration.none : marks;
    if (effect.value === null) return Decoration.none;
    const { at, words } = effect.value;
    const piece = markedPiece(transaction.newDoc.toString(), at);
    if (piece === null) return Decoration.none;
    const mark = Decoration.mark({ class: "q-fault", attributes: { title: words } });
    return Decoration.set(mark.range(piece.from, piece.to));
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Pasted lines become one. */
const oneLine = EditorState.transactionFilter.of((transaction) =>
  transaction.newDoc.lines > 1
    ? [
        transaction,
        {
          changes: { from: 0, to: transaction.newDoc.length, insert: transaction.newDoc.toString().replace(/\s*\n\s*/g, " ") },
          sequential: true,
        },
      ]
    : transaction,
);

function option(suggestion: Suggestion, to: number): Option {
  const { label, insert, kind, spanCount } = suggestion;
  // The caret goes between parentheses that end the text.
  const caretIn = insert.endsWith("()") ? insert.length - 1 : 0;
  return {
    label,
    type: kind,
    ...(spanCount === null ? {} : { detail: formatCountShort(spanCount) }),
    apply: (view, _option, from) => {
      const end = Math.min(Math.max(to, view.state.selection.main.head), view.state.doc.length);
      const anchor = from + (caretIn > 0 ? caretIn : insert.length);
      // A space that is there already is not doubled.
      const isSpaced = insert.endsWith(" ") && view.state.sliceDoc(end, end + 1) === " ";
      view.dispatch({ changes: { from, to: end, insert: isSpaced ? insert.slice(0, -1) : insert }, selection: { anchor } });
      startCompletion(view);
    },
  };
}

function source(complete: QueryEditorOptions["complete"]) {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const completion = await complete(context.state.doc.toString(), context.pos);
    if (completion === null || context.aborted || completion.suggestions.length === 0) return null;
    const { from, to, suggestions } = completion;
    return { from, filter: false, options: suggestions.map((suggestion) => option(suggestion, to)) };
  };
}

const look = EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "12px", lineHeight: "20px", overflowX: "auto" },
  ".cm-content": { padding: "6px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-placeholder": { color: "var(--text-muted)" },
  ".q-field": { color: "var(--query-field)" },
  ".q-string": { color: "var(--query-text)" },
  ".q-number, .q-keyword": { color: "var(--query-value)" },
  ".q-function": { color: "var(--query-field)", fontWeight: "600" },
  ".q-operator, .q-brace": { color: "var(--text-muted)" },
  ".q-fault": {
    textDecoration: "underline wavy var(--error) 1.5px",
    textUnderlineOffset: "3px",
    backgroundColor: "var(--error-surface)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    color: "var(--text)",
    border: "1px solid var(--border-strong)",
    borderRadius: "var(--radius)",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { display: "flex", gap: "16px", padding: "3px 10px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-text)" },
  ".cm-completionLabel": { flex: "1" },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--text-muted)", marginLeft: "auto" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
});

export function openQueryEditor(options: QueryEditorOptions): QueryEditor {
  const words = new Compartment();
  const wordsOf = (label: string, hint: string) => [
    placeholder(hint),
    EditorView.contentAttributes.of({
      "aria-label": label,
      "aria-multiline": "false",
      autocapitalize: "off",
      spellcheck: "false",
    }),
  ];
  const run = (): boolean => {
    options.onrun();
    return true;
  };
  const state = EditorState.create({
    doc: options.text,
    extensions: [
      oneLine,
      history(),
      closeBrackets(),
      autocompletion({
        override: [source(options.complete)],
        icons: false,
        // Enter runs the query unless something was chosen with the arrows.
        selectOnOpen: false,
        interactionDelay: 0,
        maxRenderedOptions: 60,
      }),
      Prec.high(keymap.of(completionKeymap)),
      keymap.of([{ key: "Enter", run }, { key: "Mod-Enter", run }, ...closeBracketsKeymap, ...historyKeymap, ...defaultKeymap]),
      words.of(wordsOf(options.label, options.hint)),
      colouring,
      faultMark,
      look,
      EditorView.updateListener.of((update) => {
        if (update.docChanged) options.onchange(update.state.doc.toString());
      }),
    ],
  });
  const view = new EditorView({ state, parent: options.parent });
  return {
    setText: (text) => {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    mark: (fault) => view.dispatch({ effects: setFault.of(fault) }),
    setWords: (label, hint) => view.dispatch({ effects: words.reconfigure(wordsOf(label, hint)) }),
    focus: () => view.focus(),
    close: () => view.destroy(),
  };
}
