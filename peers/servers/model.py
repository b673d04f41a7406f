"""Writes a model that says nonsense: llama's architecture, two layers, random weights, half a megabyte, as a GGUF file.

The weights come from a seed, so the file is the same at every run.
The vocabulary is the 256 bytes, a few merges and the tags of chats, thoughts and tool calls.
The chat template has all of these, so a server finds its parsers for them.
"""

import sys

import gguf
import numpy as np

DIM, LAYERS, HEADS, INNER, CONTEXT = 64, 2, 4, 128, 65536
MERGES = ["t h", "th e", "i n", "e r", "a n"]
CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
TEMPLATE = r"""{%- if tools %}
{{- '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
{{- '# Tools\n\n<tools>' }}
{%- for tool in tools %}{{- '\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\n</tools>\n\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\n' }}
{%- if message.reasoning_content %}{{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}{%- endif %}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- if message.tool_calls %}
{%- for tool_call in message.tool_calls %}
{%- if (loop.first and message.content) or not loop.first %}{{- '\n' }}{%- endif %}
{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
{{- '<tool_call>\n{"name": "' + tool_call.name + '", "arguments": ' }}
{%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
{{- '}\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and enable_thinking is true %}{{- '<think>\n' }}
{%- else %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}"""


def letters():
    """The 256 letters that stand for bytes in GPT-2's vocabulary."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(byte if byte in shown else next(hidden)) for byte in range(256)]


def write(path):
    random = np.random.default_rng(7)
    tokens = letters() + [merge.replace(" ", "") for merge in MERGES]
    said = {tokens.index(chr(letter)) for letter in range(ord("a"), ord("z") + 1)} | {tokens.index("\u0120")}
    said |= set(range(256, len(tokens)))
    plain = len(tokens)
    kinds = [gguf.TokenType.NORMAL] * plain
    kinds += [gguf.TokenType.CONTROL] * len(CONTROLS) + [gguf.TokenType.USER_DEFINED] * len(TAGS)
    tokens += CONTROLS + TAGS
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("nonsense")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(DIM)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(DIM // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(tokens)
    file.add_token_types(kinds)
    file.add_token_merges(MERGES)
    file.add_bos_token_id(plain)
    file.add_eos_token_id(plain + 2)
    file.add_pad_token_id(plain)
    file.add_add_bos_token(False)
    file.add_chat_template(TEMPLATE)

    def add(name, *shape, scale=None):
        file.add_tensor(name, (random.standard_normal(shape) * (scale or shape[-1] ** -0.5)).astype(np.float32))

    embedding = random.standard_normal((len(tokens), DIM))
    file.add_tensor("token_embd.weight", embedding.astype(np.float32))
    # Small letters, blanks and merges are likely; all else is not, so that texts are plain and answers do not end.
    output = random.standard_normal((len(tokens), DIM)) * 0.35
    output[[token for token in range(len(tokens)) if token not in said]] *= 0.02
    # A line ends after the tag of a call, as the template has it: servers know a call by both.
    output[ord("\n")] = embedding[tokens.index("<tool_call>")] / 2
    file.add_tensor("output.weight", output.astype(np.float32))
    file.add_tensor("output_norm.weight", np.ones(DIM, np.float32))
    for layer in range(LAYERS):
        file.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(DIM, np.float32))
        file.add_tensor(f"blk.{layer}.ffn_norm.weight", np.ones(DIM, np.float32))
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"]:
            add(f"blk.{layer}.{part}.weight", DIM, DIM)
        add(f"blk.{layer}.ffn_gate.weight", INNER, DIM)
        add(f"blk.{layer}.ffn_up.weight", INNER, DIM)
        add(f"blk.{layer}.ffn_down.weight", DIM, INNER)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    write(sys.argv[1])
